"""Writes commands as lines of KEY|JSON into the partitions that every other producer chooses.

pip install confluent-kafka
python commands.py localhost:9092 sms.commands <lines
"""

import sys

from confluent_kafka import Producer

brokers, topic = sys.argv[1:]
# The library's default is another hash: a repeated id would not be recognised, and texted twice.
producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "acks": "all"})


def delivered(error, message):
    if error:
        sys.exit(f"not written: {error}")


for line in sys.stdin:
    key, value = line.rstrip("\n").split("|", 1)
    producer.produce(topic, key=key, value=value, on_delivery=delivered)
    producer.poll(0)
producer.flush()
