#include "stack.h"

static int items[100], count;

void push(int n) { items[count++] = n; }
int pop(void) { return items[--count]; }
