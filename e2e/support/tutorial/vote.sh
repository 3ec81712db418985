#!/bin/sh
# Takes a vote, `/?vote=cats`, into the queue.
printf 'Content-Type: text/plain\r\n\r\n'
case $QUERY_STRING in
  vote=?*) redis-cli -h redis rpush votes "${QUERY_STRING#vote=}" ;;
  *) echo "Cats or dogs? ($(busybox hostname))" ;;
esac
