#ifndef CPROCESS_H
#define CPROCESS_H

#include <sys/types.h>

// Starts `arguments[0]` in `folder` as the leader of its own process group, with exactly
// `environment`, standard input, output and error from the given descriptors, and no other
// descriptor. The kernel sends it `death_signal`, unless that is 0, when the calling *thread* ends,
// so that thread must wait for it. Returns 0 and sets `pid`, or returns the errno of what failed.
int cprocess_spawn(char *const arguments[], char *const environment[], const char *folder,
                   const int standard[3], int death_signal, pid_t *pid);

// Blocks until `pid`, a child, has ended, and leaves it unreaped. 0, or an errno.
int cprocess_wait(pid_t pid);

// Reaps an ended child. Returns its exit code, or 256 + the signal that ended it.
int cprocess_reap(pid_t pid);

// A descriptor for a process, which a later process of the same number does not inherit; -1: gone.
int cprocess_open(pid_t pid);

// Sends `signal` to the process behind the descriptor. 0, or an errno.
int cprocess_signal(int process, int signal);

// The reading and the writing end of a pipe, closed on exec. 0, or an errno.
int cprocess_pipe(int ends[2]);

// A Unix stream socket listening at `path`, closed on exec; or minus an errno.
int cprocess_listen(const char *path);

// A TCP port of 127.0.0.1 on which nobody listens now, or minus an errno.
int cprocess_free_port(void);

// The next connection, or minus an errno.
int cprocess_accept(int listener);

// Waits up to `milliseconds` for something to read (1); 0: nothing came; or minus an errno.
int cprocess_readable(int descriptor, int milliseconds);

// Writes all of `bytes` to a socket without raising SIGPIPE. 0, or an errno.
int cprocess_send(int socket, const void *bytes, size_t size);

// How many bytes a socket's path may have.
int cprocess_socket_path_max(void);

#endif
