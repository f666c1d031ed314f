/* Connects to 127.1.X.Y:PORT through 1024 different stacks, several times each, and keeps one of each. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned short port;

static int open_one(int number) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
    server.sin_addr.s_addr = htonl(0x7f010000 + number);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server))
        exit(1);
    return fd;
}

static int zero(int number, int bits);
static int one(int number, int bits);

/* The path to the call says the number, bit by bit. Nothing must become a jump. */
__attribute__((noinline)) static int step(int number, int bits) {
    int fd = bits == 0 ? open_one(number) : (number >> (bits - 1)) & 1 ? one(number, bits - 1) : zero(number, bits - 1);
    __asm__ volatile("" ::: "memory");
    return fd;
}
__attribute__((noinline)) static int zero(int number, int bits) {
    int fd = step(number, bits);
    __asm__ volatile("" ::: "memory");
    return fd;
}
__attribute__((noinline)) static int one(int number, int bits) {
    int fd = step(number, bits);
    __asm__ volatile("" ::: "memory");
    return fd;
}

int main(int count, char **words) {
    if (count != 4)
        return 2;
    port = atoi(words[1]);
    int stacks = atoi(words[2]), rounds = atoi(words[3]);
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int round = 0; round < rounds; round++)
        for (int number = 0; number < stacks; number++) {
            int fd = step(number, 10);
            if (round > 0)
                close(fd);
        }
    puts("done");
    fflush(stdout);
    while (getchar() != EOF)
        ;
}
