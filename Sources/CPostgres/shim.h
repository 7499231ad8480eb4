// libpq, PostgreSQL's own client library, and the two Linux calls that wait for its sockets, which
// Swift's Glibc module leaves out.
#pragma once
#include <libpq-fe.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
