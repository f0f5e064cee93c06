#include <stdio.h>
#include <stdlib.h>

#include "stack.h"

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1, sum = 0;

	for (int i = 0; i < n; i++)
		push(i);
	while (n--)
		sum = sum * 3 + pop();
	printf("%d\n", sum);
	return 0;
}
