"""What became of each command: the row of its highest revision, among equals the latest.

pip install confluent-kafka
python results.py localhost:9092 sms.results
"""

import collections
import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

brokers, topic = sys.argv[1:]
consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": "results-example",  # asked for by the library; nothing is committed
    "enable.auto.commit": False,
    "enable.partition.eof": True,
})
partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])

rows, latest, unread = 0, {}, set(partitions)
while unread:
    message = consumer.poll(30)
    if message is None:
        sys.exit("no answer for 30 seconds")
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            sys.exit(str(message.error()))
        unread.discard(message.partition())
        continue
    rows += 1
    row = json.loads(message.value())
    known = latest.get(row["command_id"])
    if known is None or row["revision"] >= known["revision"]:
        latest[row["command_id"]] = row
consumer.close()

statuses = collections.Counter(row["status"] for row in latest.values())
print(json.dumps({"rows": rows, "commands": len(latest), "statuses": statuses}))
