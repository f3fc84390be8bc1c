/*
 * Requests at a fixed rate, whatever the answers do (an open loop), which wrk does not have. A latency counts from the
 * moment the request was due, so an answer that keeps the next ones waiting is counted in all of them.
 *
 *   rate PORT FILE CONNECTIONS RATE SECONDS
 *
 * FILE is one request as it goes over the wire. Prints one line of JSON, times in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 1024, IN_SIZE = 64 * 1024 };

struct connection {
  int fd;
  int64_t due_ns;
  size_t used;
  char in[IN_SIZE + 1];
};

static struct connection *connections;
static int idle[MAX_CONNECTIONS], idle_first, idle_count, connection_count;
static char request[512 * 1024];
static size_t request_length;
static double *latencies;
static long answered, failed;

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void stop(const char *reason) {
  fprintf(stderr, "rate: %s\n", reason);
  exit(1);
}

/* Taken in turn, so that no connection falls asleep at the other side. */
static void put_idle(int index) { idle[(idle_first + idle_count++) % connection_count] = index; }

static int take_idle(void) {
  int index = idle[idle_first];
  idle_first = (idle_first + 1) % connection_count;
  idle_count -= 1;
  return index;
}

static void open_connection(int index, int port, int poll_fd) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) stop("cannot connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connections[index].fd = fd;
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
  put_idle(index);
}

static void send_request(int64_t due_ns) {
  int index = take_idle();
  connections[index].due_ns = due_ns;
  connections[index].used = 0;
  if (send(connections[index].fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) stop("a connection broke");
}

static int is_complete(struct connection *connection) {
  char *head_end = memmem(connection->in, connection->used, "\r\n\r\n", 4);
  if (head_end == NULL) return 0;
  size_t head = head_end + 4 - connection->in;
  char *length = strcasestr(connection->in, "\r\ncontent-length:");
  if (length != NULL && length < head_end) return connection->used >= head + strtoul(length + 17, NULL, 10);
  return connection->used >= head + 5 && memcmp(connection->in + connection->used - 5, "0\r\n\r\n", 5) == 0;
}

static void receive(int index) {
  struct connection *connection = &connections[index];
  ssize_t got = recv(connection->fd, connection->in + connection->used, IN_SIZE - connection->used, 0);
  if (got <= 0) stop("a connection was closed");
  connection->used += got;
  connection->in[connection->used] = '\0';
  if (!is_complete(connection)) return;
  if (strncmp(connection->in, "HTTP/1.1 200", 12) == 0) latencies[answered++] = (now_ns() - connection->due_ns) / 1000.0;
  else failed += 1;
  put_idle(index);
}

static int compare(const void *one, const void *other) {
  double difference = *(const double *)one - *(const double *)other;
  return difference < 0 ? -1 : difference > 0;
}

static double at(double share) {
  long index = answered * share;
  return answered == 0 ? 0 : latencies[index < answered ? index : answered - 1];
}

int main(int count, char **words) {
  if (count != 6) stop("PORT FILE CONNECTIONS RATE SECONDS");
  FILE *file = fopen(words[2], "rb");
  if (file == NULL) stop("no such file");
  request_length = fread(request, 1, sizeof request, file);
  connection_count = atoi(words[3]);
  if (connection_count < 1 || connection_count > MAX_CONNECTIONS) stop("1 to 1024 connections");
  long rate = atol(words[4]), total = rate * atol(words[5]), sent = 0;
  connections = calloc(connection_count, sizeof *connections);
  latencies = calloc(total + 1, sizeof *latencies);
  /* The kernel would round a wait up by 50 microseconds, to save power. */
  prctl(PR_SET_TIMERSLACK, 1);
  int poll_fd = epoll_create1(0);
  for (int index = 0; index < connection_count; index += 1) open_connection(index, atoi(words[1]), poll_fd);
  int64_t start = now_ns() + 10000000, give_up = start + (atol(words[5]) + 10) * 1000000000LL;
  while (answered + failed < total && now_ns() < give_up) {
    int64_t due = start + sent * 1000000000LL / rate, now;
    while (sent < total && idle_count > 0 && due <= (now = now_ns())) {
      send_request(due);
      due = start + ++sent * 1000000000LL / rate;
    }
    int64_t wait_ns = sent < total && idle_count > 0 ? due - now_ns() : 1000000000LL;
    if (wait_ns < 0) wait_ns = 0;
    struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    struct epoll_event events[64];
    int ready = epoll_pwait2(poll_fd, events, 64, &wait, NULL);
    for (int each = 0; each < ready; each += 1) receive(events[each].data.u32);
  }
  qsort(latencies, answered, sizeof *latencies, compare);
  printf("{\"sent\":%ld,\"answered\":%ld,\"failed\":%ld,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}\n", sent, answered,
         total - answered, at(0.5), at(0.9), at(0.99), at(1));
}
