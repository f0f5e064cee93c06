#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static long total;
static __thread long mine;

static void *work(void *arg)
{
	for (int i = 0; i < 10000; i++) {
		pthread_mutex_lock(&mutex);
		total++;
		pthread_mutex_unlock(&mutex);
		mine += (long)arg;
	}
	pthread_barrier_wait(&barrier);
	sem_post(&sem);
	return (void *)mine;
}

int main(void)
{
	pthread_t t[8];
	long sum = 0;

	pthread_barrier_init(&barrier, NULL, 8);
	sem_init(&sem, 0, 0);
	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, work, (void *)i);
	for (int i = 0; i < 8; i++) {
		void *r;

		sem_wait(&sem);
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	printf("%ld %ld\n", total, sum);
	return 0;
}
