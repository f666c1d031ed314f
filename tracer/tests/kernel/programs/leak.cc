// As leak.c; the function that leaks is inlined.
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace app {

struct Pool {
    sockaddr_in server{};
    std::vector<int> held;

    __attribute__((noinline)) void open_and_close() {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, reinterpret_cast<sockaddr *>(&server), sizeof server) < 0)
            std::exit(1);
        close(fd);
    }

    template <typename T> __attribute__((always_inline)) inline void open_and_leak(T &into) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, reinterpret_cast<sockaddr *>(&server), sizeof server) < 0) // LEAK
            std::exit(1);
        into.push_back(fd);
    }

    __attribute__((noinline)) void grow() { open_and_leak(held); }
};

} // namespace app

int main(int count, char **words) {
    if (count != 5)
        return 2;
    app::Pool pool;
    pool.server.sin_family = AF_INET;
    pool.server.sin_port = htons(std::atoi(words[1]));
    pool.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < std::atoi(words[2]); i++)
        pool.open_and_close();
    for (int i = 0; i < std::atoi(words[3]); i++) {
        pool.grow();
        usleep(std::atoi(words[4]) * 1000);
    }
    while (std::getchar() != EOF)
        ;
}
