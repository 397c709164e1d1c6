#!/bin/sh
# One of several processes that train one model together, one on each machine:
#
#   tools/multiworker.sh 0 red:12345,blue:12345 --dataset=/shared/photos --batch_size=8 --output=/shared/run
#
# and on the other machine the same line with 1. The number is the machine's place in the list; machine 0
# writes the run folder. To try it out, both on one machine:
#
#   tools/multiworker.sh 0 localhost:12345,localhost:12346 --dataset=shapes --batch_size=4 &
#   tools/multiworker.sh 1 localhost:12345,localhost:12346 --dataset=shapes --batch_size=4
#
# PYTHON chooses the interpreter.
set -eu
if [ $# -lt 2 ]; then
  echo "usage: $0 INDEX HOST:PORT,HOST:PORT,... [flags of munit_tf.train]" >&2
  exit 2
fi
index=$1
workers=$(printf '"%s"' "$2" | sed 's/,/", "/g')
shift 2
export TF_CONFIG="{\"cluster\": {\"worker\": [$workers]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
exec "${PYTHON:-python}" -m munit_tf.train --strategy=multiworker "$@"
