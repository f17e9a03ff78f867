# What became of each command: the row of its highest revision, among equals the latest.
# kcat -b localhost:9092 -t sms.results -C -o beginning -e -q | jq -n -f latest.jq
reduce inputs as $row ({rows: 0, latest: {}};
  .rows += 1
  | if $row.revision >= (.latest[$row.command_id].revision // 0) then .latest[$row.command_id] = $row else . end)
| {rows, commands: (.latest | length), statuses: ([.latest[].status] | group_by(.) | map({(.[0]): length}) | add)}
