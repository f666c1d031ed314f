/* A process to look into: prints where it has a function, memory that it may run, and, if one is named, a mapped file. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) int hostile_function_name(int number) {
    volatile int sum = number;
    for (int i = 0; i < 10; i++)
        sum += i;
    return sum;
}

int main(int count, char **words) {
    int code = PROT_READ | PROT_WRITE | PROT_EXEC;
    void *compiled = mmap(NULL, 4096, code, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *mapped = NULL;
    if (count > 1) {
        int fd = open(words[1], O_RDONLY);
        mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    }
    printf("%llu %llu %llu\n", (unsigned long long)hostile_function_name, (unsigned long long)compiled,
           (unsigned long long)mapped);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return hostile_function_name(count);
}
