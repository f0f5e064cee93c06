# needs: tar rsync gzip xz
# time: 90
exec 2>&1
mkdir -p src/{a,b}/{c,d}; for i in $(seq 300); do seq $i > src/a/c/$i; ln -s ../c/$i src/a/d/$i; done; ln src/a/c/1 src/b/hard
mkfifo src/b/fifo; chmod 4750 src/a/c/2; touch -d '2010-01-01' src/a/c/3; truncate -s 1M src/b/sparse; printf x | dd of=src/b/sparse bs=1 seek=900000 conv=notrunc 2>/dev/null
for z in '' z J; do tar c${z}f out.tar$z --sort=name --mtime=@0 src && mkdir x$z && tar xf out.tar$z -C x$z && diff -r --no-dereference <(cd src; find . | sort) <(cd x$z/src; find . | sort) && echo "tar $z"; done
sha256sum out.tar | cut -c1-10 >/dev/null; tar tvf out.tar | wc -l; tar cSf sparse.tar src/b && tar xf sparse.tar -C x; stat -c '%a %h' x/src/a/c/2 x/src/b/hard
tar cf - -C src . | (mkdir piped; cd piped; tar xpf -); stat -c %Y piped/a/c/3; ls -ld piped/b/fifo | cut -c1
rsync -aH src/ dst/; rsync -aHn --itemize-changes src/ dst/; echo change >> src/a/c/5; rm src/a/c/6 src/a/d/6; rsync -aHO --delete --itemize-changes --inplace src/ dst/
diff -r --no-dereference src/a dst/a && echo same; rsync -a --checksum --stats src/ dst/ | grep 'files transferred'
