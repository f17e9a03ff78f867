package main

// The ways to break the guarantee. Those that the code's structure does not let
// one write as a small change are shown in the model alone: there the rules that
// must hold are exchanged for the broken one.
var mutants = []mutant{
	{"no fence", []edit{{
		"connector/journal/guard.go",
		"\tl.queue(&p.waiter)\n\tl.tenure.poke()\n",
		"\tp.waiter.ready <- nil\n",
	}}, crash("TestFrozenBeforeItsFenceIsRefusedAfterwards")},
	{"fence before intent", []edit{
		{"connector/journal/guard.go", "\tl.permits++\n\tl.mu.Unlock()\n", "\tl.permits++\n\tl.queue(&p.waiter)\n\tl.mu.Unlock()\n\tl.tenure.poke()\n"},
		{"connector/journal/guard.go", "\tl.queue(&p.waiter)\n\tl.tenure.poke()\n}", "}"},
	}, chaos},
	{"heartbeat as the fence", []edit{{
		"connector/journal/order.go",
		"err := t.judge(t.gen.Commit(ctx, batch))",
		"_ = t.gen.Commit(ctx, batch) // who is no member any more would hear so\n\terr := error(nil)",
	}}, crash("TestFrozenBeforeItsFenceIsRefusedAfterwards")},
	{"fence of unknown outcome taken for success", []edit{{
		"connector/journal/commit.go",
		"\t\tt.end(ErrRejoin)\n\t\treturn fmt.Errorf(\"%w: %w\", ErrRejoin, err)\n",
		"\t\treturn nil\n",
	}}, crash("TestCommitWithoutAnswerSubmitsNothingUntilJoinedAnew")},
	{"no joining anew after an unknown fence", []edit{{
		"connector/journal/commit.go",
		"\t\tt.end(ErrRejoin)\n\t\treturn fmt.Errorf(\"%w: %w\", ErrRejoin, err)\n",
		"\t\treturn fmt.Errorf(\"%w: %w\", errUnsent, err)\n",
	}}, chaos},
	{"lost answer of a commit taken for a refusal", []edit{{
		"connector/kafkaio/commit.go",
		"\t\treturn &CommitUnknown{err}\n",
		"\t\treturn fmt.Errorf(\"not committed: %w\", err)\n",
	}}, guard{folder: "connector/kafkaio", tests: "TestCommitWhoseAnswerIsLostIsUnknown"}},
	{"lease ignored", []edit{{
		"connector/journal/guard.go",
		"return !closed && now.Sub(lease) < half && now.Round(0).Sub(lease.Round(0)) < half",
		"_, _, _ = now, half, lease\n\treturn !closed",
	}}, crash("TestPermitExpiresWithoutCommits")},
	{"missing metadata read as position 0", []edit{{
		"connector/journal/takeover.go",
		"a.open() && l.known && l.previous",
		"a.open() && l.previous",
	}}, crash("TestLostMetadataLeavesDoubtNotASecondText")},
	{"nothing replayed below the fenced position", []edit{{
		"connector/journal/takeover.go",
		"Partition: l.partition, Offset: from})",
		"Partition: l.partition, Offset: max(from, l.previous.Fenced)})",
	}}, crash("TestCrashAtEachPointSendsOnce")},
	{"new owner releases nothing", []edit{{
		"connector/journal/order.go", "err := t.releaseUnsent(ctx)", "err := error(nil)",
	}}, crash("TestCrashOfTheNewOwnerDoubtsNobodyNeedlessly")},
	{"result without done", []edit{{
		"connector/journal/order.go", "at, err := l.write(ctx, r)", "at, err := int64(-1), error(nil)",
	}}, crash("TestCrashAtEachPointSendsOnce")},
	{"decision told without a fence", []edit{{
		"connector/journal/order.go", "if r.status != sms.Accepted {", "if r.status == sms.Accepted && at < 0 {",
	}}, chaos},
	{"late answers not followed", []edit{{
		"connector/journal/follow.go", "e.status == sms.Unknown && s.resolved() {", "e.status == \"\" && s.resolved() {",
	}}, crash("TestLateAnswerOfAZombieIsRevisedByTheOwner")},
	{"commit before result", []edit{
		{"connector/intake/partition.go", "\twait, err := p.attempt(it)\n", "\tp.cfg.Window.Finish(it.seq)\n\twait, err := p.attempt(it)\n"},
		{"connector/intake/partition.go", "\tp.cfg.Window.Finish(it.seq)\n\tif next", "\tif next"},
	}, guard{folder: "connector/intake", tests: "TestAWorkThatFailsIsNotCommittedAndEndsThePartition"}},
	{"no dedupe", []edit{{
		"connector/journal/ledger.go", "first, ok := l.repeats(id, ref); ok {", "first, ok := l.repeats(id, ref); ok && id == (idHash{}) {",
	}}, chaos},

	{"a zombie's late decision unbars an id", []edit{{
		"connector/journal/takeover.go", "&& !old.yields(r.status, r.revision) {", "&& old.revision > r.revision {",
	}}, crash("TestLateDecisionOfAZombieDoesNotUnbarAnAcceptedID")},
	{"a zombie's store claims its successor's ids", []edit{{
		"connector/journal/store_claim.go", "Position: l.resumed,", "Position: l.metadata().Replay,",
	}}, crash("TestStoreOfAZombieClaimsNothingOfItsSuccessors")},
	{"release by one who may be a zombie", []edit{{
		"connector/journal/order.go", "err := t.confirm(ctx)", "err := error(nil)",
	}}, crash("TestZombieThatTakesOverLateReleasesNothingOfItsSuccessor")},
	{"late answer to what may be lost in part", []edit{{
		"connector/journal/story.go", "\tif s.lost {\n", "\tif s.lost && len(s.attempts) == 0 {\n",
	}}, crash("TestLateAnswerRevisesNothingOfWhichSomethingIsLost")},

	{"a saved filter outlives an id it lacks", []edit{{
		"connector/journal/store_load.go", "if b.saved || len(b.filter.layers) == 0 {", "if false {",
	}}, crash("TestKilledStoreHasEveryIDBelowItsClaim")},

	{"an older program passes what a newer one wrote", []edit{{
		"connector/journal/follow.go", "l.tail.newer = min(l.tail.newer, rec.Offset)", "_ = rec.Offset",
	}}, crash("TestAnUpdateThatIsTakenBackLosesNothing")},

	{"evidence overrides an answer", []edit{{
		"connector/journal/evidence.go", "if t.yes != nil || t.doubts == 0 {", "if t.inferred {",
	}}, crash("TestEvidenceOverridesNoAnswer")},
	{"evidence about another command at the offset", []edit{{
		"connector/journal/follow.go", "if s == nil || s.ref != r.ref {", "if s == nil {",
	}}, crash("TestEvidenceSaysNothingWhereNothingIsInDoubt")},
	{"evidence used while something is open", []edit{{
		"connector/evidence/index.go", " || !x.settledBeyond(taken.Add(Slack)) {", " {",
	}}, inferred},
	{"evidence for one of two doubts", []edit{{
		"connector/evidence/index.go", "\t\tif only != nil {\n\t\t\treturn Doubt{}, false\n\t\t}\n", "",
	}}, inferred},
	{"evidence by clocks that agree", []edit{{
		"connector/evidence/index.go",
		"taken.Before(c.From.Add(-Slack)) || taken.After(x.end(&c.Doubt).Add(Slack))",
		"taken.Before(c.From) || taken.After(x.end(&c.Doubt))",
	}}, inferred},
	inModel("evidence for whichever part is in doubt", "EvidenceForAnyPart"),
	inModel("evidence told by whoever has it", "EvidenceByNonOwner"),
	inModel("evidence not followed", "EvidenceIgnored"),

	inModel("journal end listed before joining", "EndBeforeJoin"),
	inModel("replay before joining", "ReplayBeforeJoin"),
	inModel("released matched by attempt", "ReleasedByAttempt"),
	inModel("release by one who may be a zombie", "ReleaseUnconfirmed"),
	inModel("result before done", "ResultBeforeDone"),
	inModel("a record durable once it is sent", "AcksNone"),

	{"acks of the leader alone", []edit{{
		"connector/kafkaio/producer_batch.go", "AppendUint16(b, 0xffff) // acks", "AppendUint16(b, 1) // acks",
	}}, acks},
	{"acks of nobody", []edit{{
		"connector/kafkaio/producer_batch.go", "AppendUint16(b, 0xffff) // acks", "AppendUint16(b, 0) // acks",
	}}, acks},

	{"GET", []edit{{
		"connector/provider/dial.go", "[]byte(\"POST \" + target", "[]byte(\"GET \" + target",
	}}, guard{folder: "connector/provider", tests: "TestRequestIsOnePlainFormPost"}},
	{"an Idempotency-Key", []edit{{
		"connector/provider/dial.go", "\"User-Agent: smsbridge\\r\\n\"", "\"User-Agent: smsbridge\\r\\nIdempotency-Key: 1\\r\\n\"",
	}}, guard{folder: "connector/provider", tests: "TestRequestIsOnePlainFormPost"}},
	{"redirects followed", []edit{{
		"connector/provider/client.go",
		"\tstatus, failure := to.attempt(ctx, start.Add(c.timeout), x)\n",
		"\tstatus, failure := to.attempt(ctx, start.Add(c.timeout), x)\n\tif status/100 == 3 {\n\t\tstatus, failure = to.attempt(ctx, start.Add(c.timeout), x)\n\t}\n",
	}}, guard{folder: "connector/provider", tests: "TestNoCallReachesTheProviderTwice"}},
	{"repeated on another connection", []edit{{
		"connector/provider/client.go",
		"\tstatus, failure := to.attempt(ctx, start.Add(c.timeout), x)\n",
		"\tstatus, failure := to.attempt(ctx, start.Add(c.timeout), x)\n\tif status == 0 && failure != nil {\n\t\tstatus, failure = to.attempt(ctx, start.Add(c.timeout), x)\n\t}\n",
	}}, guard{folder: "connector/provider", tests: "TestNoCallReachesTheProviderTwice"}},

	{"200 before the ack", []edit{{
		"connector/push/handler.go",
		"\terr := s.guarded(ctx, func() error { return s.Sink.Keep(ctx, p) })\n",
		"\tvar err error\n\tgo s.guarded(ctx, func() error { return s.Sink.Keep(ctx, p) })\n",
	}}, guard{folder: "connector/push", tests: "TestNothingBut200BeforeThePushIsDurable"}},
	{"an early report dropped", []edit{{
		"connector/correlate/partition.go", "\t\tp.out.add(p.fact(push.SendID, &fact{Kind: kindParked,", "\t\t_ = (p.fact(push.SendID, &fact{Kind: kindParked,",
	}}, guard{folder: "connector/correlate", tests: "TestReportThatOvertakesItsSubmitIsMatched"}},
	{"what waits keeps its goroutine", []edit{{
		"connector/intake/partition.go", "\t\tp.park(it, wait)\n\t\treturn\n", "\t\ttime.Sleep(time.Until(wait.Until))\n",
	}}, guard{folder: "connector/intake", tests: "TestWhatWaitsHoldsNoPlaceAndNobodyButItsOwnKey"}},
	{"a wake-up of before the wait is lost", []edit{{
		"connector/submit/event.go", "\t\te.mu.Unlock()\n\t\twake()\n", "\t\te.mu.Unlock()\n",
	}}, guard{folder: "connector/submit", tests: "TestWhoWaitsForAnEventThatHasHappenedIsCalledAtOnce"}},
	{"a stop drops nothing", []edit{{
		"connector/intake/park.go", "\t\tw.item.drop()\n\t}\n", "\t}\n",
	}}, guard{folder: "connector/intake", tests: "TestAStopDropsWhatWaitsAndForgetsIt"}},
	{"one text's refusal holds the line", []edit{{
		"connector/submit/line.go", "|| reopening || !l.passes() {", "|| reopening || v.cause == address {",
	}}, guard{folder: "connector/submit", tests: "TestATextThatTheGatewayRefusesWhileOthersPassIsRejectedAndHoldsNobody"}},
	{"a refusal of everything is blamed on each text", []edit{{
		"connector/submit/line.go", "return l.rejected < refusedInRow && time.Since(l.passedAt) <= passedLately", "return true",
	}}, guard{folder: "connector/submit", tests: "TestARefusalOfEverythingHoldsTheLineAndBurnsNothing"}},
	{"throttling never holds the line", []edit{{
		"connector/submit/line.go", "\t\tif l.busy >= busyInRow {", "\t\tif l.busy < 0 {",
	}}, guard{folder: "connector/submit", tests: "TestThrottlingInARowHoldsTheLineUnlessOthersPassBetween"}},
	{"deleted commands end the membership", []edit{{
		"connector/source.go", "ok && gone.Offset < gone.Start {", "ok && gone.Offset > gone.Start {",
	}}, guard{folder: "connector", tests: "TestCommandsDeletedBeforeTheyWereReadArePassedOverAndHoldNobody"}},
	{"an opt-out is told and changes nothing", []edit{{
		"connector/submit/reach.go", "\tcase j.suppressed():", "\tcase j.suppressed() && j.cmd == nil:",
	}}, guard{folder: "connector", tests: "TestWhoOptsOutGetsNoMoreTextsOfTheClassUntilOptingInAgain"}},
	{"suppressions under another key are passed over", []edit{{
		"connector/suppress/list.go", "\tif len(l.foreign) == 0 {", "\tif len(l.foreign) >= 0 {",
	}}, guard{folder: "connector/suppress", tests: "TestSuppressionsUnderAnUnknownKeyAreAnErrorThatNamesTheKeyButNotTheSecret"}},
	{"a number in a log line", []edit{{
		"connector/command.go",
		"\tresult, wait, err := t.submit(ctx)\n",
		"\tt.log.Info(\"submitting\", \"to\", t.cmd.To)\n\tresult, wait, err := t.submit(ctx)\n",
	}}, guard{folder: "connector", tests: "TestNobodyWhoWatchesSeesANumberATextOrASecret"}},
}

// chaos is the journal's real code under seeded faults.
var chaos = guard{folder: "connector/journal", tests: "TestRandomFaultsBreakNoPromise", flags: "-seeds 1500"}

var acks = guard{folder: "connector/kafkaio", tests: "TestRecordsAreAcknowledgedByAllReplicas"}

// inferred is random histories of submits, doubts and reports.
var inferred = guard{folder: "connector/evidence", tests: "TestNothingIsEverInferredWrongly", flags: "-histories 2400"}

// crash is tests of the journal's real code under one fault.
func crash(tests string) guard { return guard{folder: "connector/journal", tests: tests} }

// inModel exchanges the rules of the model for ones with a mistake.
func inModel(name, rule string) mutant {
	return mutant{name + " (model)", []edit{{
		"connector/journal/model/model_test.go", "search(rules{}, n)", "search(rules{" + rule + ": true}, n)",
	}}, guard{folder: "connector/journal/model", tests: "TestNoScheduleBreaksThePromises"}}
}
