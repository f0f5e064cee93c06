void push(int n);
int pop(void);
