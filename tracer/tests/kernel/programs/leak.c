/* Opens connections to 127.0.0.1:PORT: some in a function that closes them, then some in one that does not; with a fifth
 * word the former goes on meanwhile. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in server;

__attribute__((noinline)) int open_and_close(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int failed = connect(fd, (struct sockaddr *)&server, sizeof server);
    close(fd);
    return failed;
}

__attribute__((noinline)) int open_and_leak(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int failed = connect(fd, (struct sockaddr *)&server, sizeof server); /* LEAK */
    return failed ? -1 : fd;
}

static void rest(long millis) {
    struct timespec span = {millis / 1000, millis % 1000 * 1000000};
    nanosleep(&span, NULL);
}

int main(int count, char **words) {
    if (count != 5 && count != 6)
        return 2;
    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(words[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int closed = atoi(words[2]), leaked = atoi(words[3]);
    long pause = atol(words[4]);
    /* The same call site would be the same stack without frame pointers, were it not for the functions. */
    for (int i = 0; i < closed + leaked; i++) {
        if ((i < closed ? open_and_close() : open_and_leak()) < 0)
            return 1;
        if (count == 6 && open_and_close() < 0)
            return 1;
        rest(i < closed ? 1 : pause);
    }
    puts("done");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
