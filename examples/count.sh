#!/bin/sh
# Counts to its argument, a second a step; can be frozen and moved.
asked=0
trap 'asked=1' USR1
n=$(cat "$IDLEQ_CHECKPOINT_DIR/n" 2>/dev/null || echo 0)
while [ "$n" -lt "$1" ]; do
    sleep 1
    n=$((n + 1))
    if [ "$asked" = 1 ]; then
        echo "$n" >"$IDLEQ_CHECKPOINT_DIR/n.new"
        sync "$IDLEQ_CHECKPOINT_DIR/n.new"
        mv "$IDLEQ_CHECKPOINT_DIR/n.new" "$IDLEQ_CHECKPOINT_DIR/n"
        exit 85
    fi
done
echo "$n" >"$IDLEQ_OUTPUT_DIR/result"
