"""How the bus of a test is set, and the programs by which its machine goes off and is started again."""

from __future__ import annotations

#: Once there is a file `off`, nothing keeps the machine from going off: a bus that dies is not started again.
SWITCH = """#!/bin/sh
cd {folder}
how=$(cat how) && rm how
case $how in
    refuses) echo "not permitted"; exit 1 ;;
    lies) exit 0 ;;
    promises) touch asked; exit 0 ;;
esac
group=$(cat group)
touch off
case $how in
    dawdles) sleep 0.2 ;;
    asks) kill -TERM -$group; sleep 0.1 ;;
    later) (sleep 0.1; kill -KILL -$group) & exit 0 ;;
esac
kill -KILL -$group
"""
#: How it works when it is first run after a start, and how often: `at once` is what it always does later.
HOWS = {"at once": 8, "asks": 4, "later": 4, "promises": 4, "dawdles": 2, "refuses": 2, "lies": 1}
#: Seconds after which the machine goes off that was promised to; a bus that dies before is started again. And
#: after how many it does no more: a stop longer than AAFAI_MIN_SLEEP interrupts what falls due meanwhile.
BUTTON, TOO_LATE = 1.2, 1.9
#: Seconds for which the bus hesitates to close its gate: one in two does not.
HESITATIONS = (0.0, 0.02)
#: How a broken bus hesitates, and how its switch works: so its fault shows soon, on a busy machine too.
SLOW = 0.2, "dawdles"

#: Called with `arm`, the moment, and the moment in Unix seconds; or with `disarm`.
ALARM = """#!/bin/sh
cd {folder}
[ "$1" = arm ] && echo "$3" > armed.new && mv armed.new armed || rm -f armed
"""

#: Short times, beside which a start is long.
POWER = {
    "AAFAI_IDLE_TIMEOUT": "0.2 seconds",
    "AAFAI_MIN_SLEEP": "2 seconds",
    "AAFAI_BOOT_GRACE": "0.5 seconds",
    "AAFAI_PAID_MINUTE": "off",
    "AAFAI_RESULT_LINGER": "off",
    "AAFAI_POWER_VERIFY": "5 seconds",
    "AAFAI_LOG_LEVEL": "INFO",
    "AAFAI_SLOTS": "default=20",
}
