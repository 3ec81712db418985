#!/bin/sh
# What the votes are, `cats 2` a line.
printf 'Content-Type: text/plain\r\n\r\n'
psql -h db -U postgres -tA 2>&1 \
  -c "SELECT choice || ' ' || count(*) FROM votes GROUP BY choice ORDER BY choice"
