# needs: python3
# time: 100
exec 2>&1
python3 "$APPS/python/basics.py" && python3 "$APPS/python/processes.py" && python3 "$APPS/python/network.py"
echo $?
python3 -c 'import sys; sys.exit(9)'; echo $?
{ python3 -c 'import os; os.abort()'; } 2>/dev/null; echo $?
python3 -c 'raise SystemError("no")' | cat; echo ${PIPESTATUS[0]}
echo 'print(sum(map(int, input().split())))' > s.py; echo 1 2 3 | python3 s.py
python3 -m venv --without-pip v && v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'
