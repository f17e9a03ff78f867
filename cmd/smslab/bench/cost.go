package bench

import (
	"context"
	"fmt"
)

// cost shows that a command costs the same however many partitions there are and
// however many commands wait behind it.
func (b *bench) cost(ctx context.Context) error {
	const few, most = 10_000, 1.25 // most is what counts as the same, on a machine with other work
	many := int(1_000_000 * b.scale)
	measured := func(partitions, waiting int) (float64, error) {
		var cpu []float64
		for range b.Rounds {
			s, err := b.front(ctx, partitions, waiting, few)
			if err != nil {
				return 0, err
			}
			cpu = append(cpu, s.cpu)
		}
		return median(cpu), nil
	}
	narrow, err := measured(1, few)
	if err != nil {
		return err
	}
	wide, err := measured(partitions, few)
	if err != nil {
		return err
	}
	deep, err := measured(partitions, many)
	if err != nil {
		return err
	}
	b.head("\nsmsbridge alone", "1", fmt.Sprint(partitions))
	b.row("partitions: CPU", narrow, wide, "ms for 1,000", ratioText(wide/narrow), fmt.Sprintf("≤ %.2f", most), wide/narrow <= most)
	b.head("", fmt.Sprint(few), fmt.Sprint(many))
	b.row("backlog: CPU", wide, deep, "ms for 1,000", ratioText(deep/wide), fmt.Sprintf("≤ %.2f", most), deep/wide <= most)
	return nil
}

// front measures the first so many commands of a backlog, without the very first.
func (b *bench) front(ctx context.Context, partitions, backlogged, first int) (speed, error) {
	setup := b.setup(inFlight, 0)
	setup.Partitions = partitions
	stage, results, strike, err := waiting(ctx, setup, backlogged)
	if err != nil {
		return speed{}, err
	}
	defer strike()
	process, err := b.start(stage, bridge)
	if err != nil {
		return speed{}, err
	}
	return between(ctx, results, stage.Topics.Results(), first/5, first*9/10, process)
}
