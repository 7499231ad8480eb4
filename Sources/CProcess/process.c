// What Swift cannot do between fork and exec, and calls that Swift cannot import (variadic ones,
// casting macros, sockaddr_un). Each function does one thing; decisions belong on the Swift side.
#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Runs in the child, on the parent's memory, until exec: async-signal-safe calls only.
static int become(char *const arguments[], char *const environment[], const char *folder,
                  const int standard[3], int death_signal, pid_t parent, const sigset_t *mask) {
    struct sigaction fresh = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &fresh, NULL);
    if (setpgid(0, 0) != 0) return errno;
    if (death_signal != 0) {
        if (prctl(PR_SET_PDEATHSIG, death_signal) != 0) return errno;
        // The parent may have died before the request above; then nobody would send the signal.
        if (getppid() != parent) return ESRCH;
    }
    // Copies first above all that will be overwritten, then into place.
    int high[3];
    for (int i = 0; i < 3; i++)
        if ((high[i] = fcntl(standard[i], F_DUPFD, 64)) < 0) return errno;
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0) return errno;
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0) {
        for (int descriptor = 3; descriptor < 65536; descriptor++) close(descriptor);
    }
    if (chdir(folder) != 0) return errno;
    sigprocmask(SIG_SETMASK, mask, NULL);
    execve(arguments[0], arguments, environment);
    return errno;
}

int cprocess_spawn(char *const arguments[], char *const environment[], const char *folder,
                   const int standard[3], int death_signal, pid_t *pid) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    sigset_t none;
    sigemptyset(&none);
    volatile int failure = 0;
    pid_t parent = getpid();
    pid_t child = vfork();
    if (child == 0) {
        failure = become(arguments, environment, folder, standard, death_signal, parent, &none);
        _exit(127);
    }
    int status = child < 0 ? errno : failure;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child > 0 && status != 0) cprocess_reap(child);
    *pid = child;
    return status;
}

int cprocess_wait(pid_t pid) {
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0)
        if (errno != EINTR) return errno;
    return 0;
}

int cprocess_reap(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 255;
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int cprocess_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int cprocess_signal(int process, int signal) {
    return syscall(SYS_pidfd_send_signal, process, signal, NULL, 0) == 0 ? 0 : errno;
}

int cprocess_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }

int cprocess_listen(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) return -errno;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0) {
        int status = errno;
        close(listener);
        return -status;
    }
    return listener;
}

int cprocess_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (holder < 0) return -errno;
    int failed = bind(holder, (struct sockaddr *)&address, size) != 0
        || getsockname(holder, (struct sockaddr *)&address, &size) != 0;
    int status = failed ? -errno : ntohs(address.sin_port);
    close(holder);
    return status;
}

int cprocess_accept(int listener) {
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return connection < 0 ? -errno : connection;
}

int cprocess_readable(int descriptor, int milliseconds) {
    struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
    int status = poll(&wanted, 1, milliseconds);
    if (status < 0) return errno == EINTR ? 0 : -errno;
    return status;
}

int cprocess_send(int socket, const void *bytes, size_t size) {
    const char *rest = bytes;
    while (size > 0) {
        ssize_t sent = send(socket, rest, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno;
        rest += sent;
        size -= (size_t)sent;
    }
    return 0;
}

int cprocess_socket_path_max(void) {
    return (int)sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
}
