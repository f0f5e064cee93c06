# needs: git
# bundle
exec 2>&1
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
git init -q -b main repo && cd repo
for d in a b c; do mkdir $d; for f in $(seq 100); do echo "$d $f" > $d/$f; done; done
git add . && git commit -q -m first && git log --oneline
echo more >> a/1; rm b/2; git status --short; git diff --stat; git commit -qam second
git checkout -q -b side HEAD~1; echo side > side; git add side; git commit -qm side; git merge -q -m merge main; git log --oneline --graph
cd ..; git clone -q repo clone; git clone -q "file://$PWD/repo" packed; git -C packed fsck; git -C clone log --format=%H%n%s
cd clone; echo x > x; git add x; git commit -qm x; git push -q origin HEAD:pushed; git -C ../repo rev-parse pushed
git gc -q; git count-objects -v | grep in-pack; git fsck --full; git stash list; git grep -c side; git rebase -q main 2>&1 | tail -n1
git archive HEAD | tar tf - | wc -l; git worktree add -q ../wt HEAD; git -C ../wt status -sb; git bisect start -q 2>/dev/null; git blame a/1 | wc -l
