#!/bin/sh
# Carries votes from the queue to the database.
database() { psql -h db -U postgres -q "$@"; }
until database -c 'CREATE TABLE IF NOT EXISTS votes (choice text)'; do sleep 0.2; done
while true; do
  vote=$(redis-cli -h redis --raw blpop votes 5 | busybox tail -n 1)
  if [ -z "$vote" ]; then
    sleep 0.2
    continue
  fi
  until echo "INSERT INTO votes VALUES (:'vote')" | database -v vote="$vote"; do sleep 0.2; done
done
