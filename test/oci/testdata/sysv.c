// Uses System V objects of its IPC namespace and says what it sees: sysv KEY. The
// segment KEY is there and begins with a word; it gets another.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call)                                                                             \
	do {                                                                                   \
		errno = 0;                                                                     \
		long r = (long)(call);                                                         \
		printf("%s: %ld %s\n", #call, r, r < 0 ? strerror(errno) : "");                \
	} while (0)

// listed says whether a segment is among all, as ipcs looks for them.
static int listed(int id)
{
	struct shm_info all;
	struct shmid_ds d;
	int highest = shmctl(0, SHM_INFO, (void *)&all);
	for (int i = 0; i <= highest; i++)
		if (shmctl(i, SHM_STAT, &d) == id)
			return all.used_ids > 0;
	return 0;
}

static void segments(int key)
{
	int id = shmget(key, 0, 0);
	struct shmid_ds d;
	SHOW(listed(id));
	SHOW(shmctl(id, IPC_STAT, &d));
	printf("size %zu mode %o uid %u attached %lu\n", d.shm_segsz, d.shm_perm.mode & 0777, d.shm_perm.uid, (unsigned long)d.shm_nattch);
	char *p = shmat(id, NULL, 0);
	char *q = shmat(id, NULL, SHM_RDONLY);
	if (p == (void *)-1 || q == (void *)-1) {
		perror("shmat");
		exit(1);
	}
	printf("reads %s\n", p);
	strcpy(p, "inside");
	if (fork() == 0) {
		strcpy(p + 100, "child");
		_exit(0);
	}
	wait(NULL);
	printf("reads %s %s\n", q, q + 100);
	SHOW(write(-1, q, 1));
	SHOW(shmdt(q));
	SHOW(shmdt(q));
	SHOW(shmget(key, 1 << 20, 0));
	SHOW(shmget(key, 1, IPC_CREAT | IPC_EXCL));
	int own = shmget(IPC_PRIVATE, 100, 0600);
	SHOW(shmctl(own, IPC_RMID, NULL));
	SHOW(shmctl(own, IPC_STAT, &d));
}

static void semaphores(void)
{
	int s = semget(IPC_PRIVATE, 3, 0600);
	unsigned short a[3] = {1, 2, 3};
	SHOW(semctl(s, 0, SETALL, a));
	memset(a, 0, sizeof a);
	SHOW(semctl(s, 0, GETALL, a));
	printf("%d %d %d\n", a[0], a[1], a[2]);
	SHOW(semctl(s, 1, SETVAL, 7));
	struct sembuf o[2] = {{0, -1, 0}, {1, -7, 0}};
	SHOW(semop(s, o, 2));
	SHOW(semctl(s, 1, GETVAL));
	o[0].sem_flg = IPC_NOWAIT;
	SHOW(semop(s, o, 1));
	struct timespec t = {0, 20000000};
	o[0].sem_flg = 0;
	SHOW(semtimedop(s, o, 1, &t));
	if (fork() == 0) {
		struct sembuf up = {0, 1, 0};
		semop(s, &up, 1);
		_exit(0);
	}
	SHOW(semop(s, o, 1));
	wait(NULL);
	SHOW(semctl(s, 9, GETVAL));
	SHOW(semctl(s, 0, IPC_RMID));
}

static void queues(void)
{
	int q = msgget(IPC_PRIVATE, 0600);
	struct {
		long type;
		char text[100];
	} m = {5, "hello"};
	SHOW(msgsnd(q, &m, 5, 0));
	m.type = 6;
	SHOW(msgsnd(q, &m, 3, 0));
	SHOW(msgrcv(q, &m, 100, 6, 0));
	printf("%ld %.3s\n", m.type, m.text);
	SHOW(msgrcv(q, &m, 2, 0, IPC_NOWAIT));
	SHOW(msgrcv(q, &m, 2, 0, MSG_NOERROR));
	SHOW(msgrcv(q, &m, 2, 0, IPC_NOWAIT));
	if (fork() == 0) {
		m.type = 9;
		msgsnd(q, &m, 4, 0);
		_exit(0);
	}
	SHOW(msgrcv(q, &m, 100, 0, 0));
	wait(NULL);
	struct msqid_ds d;
	SHOW(msgctl(q, IPC_STAT, &d));
	printf("type %ld messages %lu\n", m.type, (unsigned long)d.msg_qnum);
	SHOW(msgctl(q, IPC_RMID, NULL));
}

// stranger is another user, who may not.
static void stranger(int key)
{
	int id = shmget(key, 0, 0);
	if (fork() == 0) {
		if (setgid(1000) < 0 || setuid(1000) < 0)
			_exit(1);
		SHOW(shmat(id, NULL, 0));
		SHOW(shmctl(id, IPC_RMID, NULL));
		SHOW(shmget(key, 0, 0600));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
}

int main(int argc, char **argv)
{
	int key = argc > 1 ? atoi(argv[1]) : 0;
	setvbuf(stdout, NULL, _IONBF, 0);
	segments(key);
	semaphores();
	queues();
	stranger(key);
	return 0;
}
