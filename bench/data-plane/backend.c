/*
 * The backend of the data plane bench: one thread, one epoll, answers made beforehand, so that it is never what is
 * measured. It speaks just enough HTTP/1.1 for that: a request with Content-Length or without a body.
 *
 *   /size/N         a JSON-RPC answer of N bytes
 *   /list/N         the answer to tools/list with N tools, tool_0 to tool_N-1
 *   /events/N/MS    an event stream of N events, one each MS milliseconds, with the time it was sent at
 *                   (CLOCK_MONOTONIC, nanoseconds). N = 0: a comment, then silence.
 *
 * cc -O2 -o backend backend.c; ./backend 0 [ALIAS PATH …]   prints the port it took; ALIAS is answered as PATH is.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 1 << 17, MAX_ANSWERS = 32, HEAD_ROOM = 16 * 1024 };

struct answer {
  char path[64];
  char *bytes;
  size_t length;
};

struct connection {
  char *in;
  size_t in_used, in_size;
  const char *out;
  size_t out_left;
  /* Of an event stream: what is still to come, and when. */
  int is_stream;
  long events_left;
  int64_t interval_ns, due_ns;
  long sequence;
};

static struct connection *connections[MAX_FDS];
static int ticking[MAX_FDS], ticking_count;
static struct answer answers[MAX_ANSWERS];
static int answer_count, poll_fd, alias_count;
static char **aliases;

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void *take(size_t size) {
  void *memory = malloc(size);
  if (memory == NULL) abort();
  return memory;
}

static char *body_of_size(long size, size_t *length) {
  static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"";
  static const char end[] = "\"}]}}";
  long fixed = sizeof start + sizeof end - 2, filler = size > fixed ? size - fixed : 0;
  char *body = take(fixed + filler + 1);
  memcpy(body, start, sizeof start - 1);
  memset(body + sizeof start - 1, 'a', filler);
  memcpy(body + sizeof start - 1 + filler, end, sizeof end);
  *length = fixed + filler;
  return body;
}

static char *body_of_list(long tools, size_t *length) {
  char *body = take(tools * 320 + 100), *at = body;
  at += sprintf(at, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[");
  for (long index = 0; index < tools; index += 1)
    at += sprintf(at,
                  "%s{\"name\":\"tool_%ld\",\"description\":\"Reads or writes one record of the kind that it is named "
                  "after\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"limit\":"
                  "{\"type\":\"number\"}},\"required\":[\"id\"]}}",
                  index == 0 ? "" : ",", index);
  at += sprintf(at, "]}}");
  *length = at - body;
  return body;
}

static struct answer *answer_to(const char *path) {
  for (int index = 0; index < answer_count; index += 1)
    if (strcmp(answers[index].path, path) == 0) return &answers[index];
  long number = 0;
  size_t length = 0;
  char *body = NULL;
  if (sscanf(path, "/size/%ld", &number) == 1) body = body_of_size(number, &length);
  else if (sscanf(path, "/list/%ld", &number) == 1) body = body_of_list(number, &length);
  if (body == NULL || answer_count == MAX_ANSWERS) return NULL;
  struct answer *made = &answers[answer_count++];
  snprintf(made->path, sizeof made->path, "%s", path);
  made->bytes = take(length + 200);
  int head = sprintf(made->bytes, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", length);
  memcpy(made->bytes + head, body, length);
  made->length = head + length;
  free(body);
  return made;
}

static void watch(int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void end(int fd) {
  struct connection *connection = connections[fd];
  for (int index = 0; index < ticking_count; index += 1)
    if (ticking[index] == fd) ticking[index--] = ticking[--ticking_count];
  free(connection->in);
  free(connection);
  connections[fd] = NULL;
  close(fd);
}

/* 0 when the connection is gone. */
static int flush(int fd) {
  struct connection *connection = connections[fd];
  while (connection->out_left > 0) {
    ssize_t written = send(fd, connection->out, connection->out_left, MSG_NOSIGNAL);
    if (written < 0 && errno == EAGAIN) {
      watch(fd, EPOLLOUT | EPOLLRDHUP);
      return 1;
    }
    if (written < 0) return end(fd), 0;
    connection->out += written;
    connection->out_left -= written;
    if (connection->out_left == 0) watch(fd, EPOLLIN | EPOLLRDHUP);
  }
  return 1;
}

static void start_stream(int fd, long events, long interval_ms) {
  struct connection *connection = connections[fd];
  connection->is_stream = 1;
  connection->events_left = events;
  connection->interval_ns = interval_ms * 1000000LL;
  connection->due_ns = now_ns() + connection->interval_ns;
  free(connection->in);
  connection->in = NULL;
  connection->in_size = connection->in_used = 0;
  if (send(fd, stream_head, sizeof stream_head - 1, MSG_NOSIGNAL) < 0) return end(fd);
  /* Some proxies send the headers on with the first byte only. */
  if (events == 0 && send(fd, "8\r\n: open\n\n\r\n", 13, MSG_NOSIGNAL) < 0) return end(fd);
  if (events > 0) ticking[ticking_count++] = fd;
}

static void tick(int fd, int64_t now) {
  struct connection *connection = connections[fd];
  char data[256], chunk[300];
  int length = sprintf(data,
                       "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\","
                       "\"data\":{\"sequence\":%ld,\"sentNs\":\"%lld\"}}}\n\n",
                       connection->sequence++, (long long)now_ns());
  int total = sprintf(chunk, "%x\r\n%s\r\n%s", length, data, --connection->events_left == 0 ? "0\r\n\r\n" : "");
  connection->due_ns += connection->interval_ns;
  if (connection->due_ns < now) connection->due_ns = now + connection->interval_ns;
  int is_over = connection->events_left == 0;
  if (send(fd, chunk, total, MSG_NOSIGNAL) != total || is_over) end(fd);
}

/* One request out of what has been read. @returns the bytes it took, 0 when more must come, -1 when it is none. */
static long take_request(int fd, struct connection *connection) {
  char *head_end = memmem(connection->in, connection->in_used, "\r\n\r\n", 4);
  if (head_end == NULL) return connection->in_used > HEAD_ROOM ? -1 : 0;
  *head_end = '\0';
  size_t head = head_end + 4 - connection->in, body = 0;
  char path[64] = "";
  sscanf(connection->in, "%*s %63[^ ?]", path);
  char *length = strcasestr(connection->in, "\r\ncontent-length:");
  if (length != NULL) body = strtoul(length + 17, NULL, 10);
  if (strcasestr(connection->in, "\r\ntransfer-encoding:") != NULL) return -1;
  *head_end = '\r';
  if (connection->in_used < head + body) return 0;
  for (int index = 0; index + 1 < alias_count; index += 2)
    if (strcmp(path, aliases[index]) == 0) snprintf(path, sizeof path, "%s", aliases[index + 1]);
  long events = 0, interval_ms = 0;
  if (sscanf(path, "/events/%ld/%ld", &events, &interval_ms) == 2) {
    start_stream(fd, events, interval_ms);
    return 0;
  }
  struct answer *answer = answer_to(path);
  if (answer == NULL) return -1;
  connection->out = answer->bytes;
  connection->out_left = answer->length;
  return head + body;
}

static void receive(int fd) {
  struct connection *connection = connections[fd];
  if (connection->in_size - connection->in_used < HEAD_ROOM) {
    connection->in_size = connection->in_size * 2 + HEAD_ROOM;
    connection->in = realloc(connection->in, connection->in_size + 1);
    if (connection->in == NULL) abort();
  }
  ssize_t got = recv(fd, connection->in + connection->in_used, connection->in_size - connection->in_used, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return end(fd);
  if (connection->is_stream) return;
  connection->in_used += got;
  connection->in[connection->in_used] = '\0';
  long taken = take_request(fd, connection);
  if (taken < 0) return end(fd);
  if (taken == 0) return;
  /* Nobody here pipelines. */
  connection->in_used = 0;
  flush(fd);
}

static void accept_all(int listening) {
  for (;;) {
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[fd] = calloc(1, sizeof *connections[fd]);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

/* @returns how long to sleep, in nanoseconds; -1: until something comes. */
static int64_t tick_due(void) {
  int64_t now = now_ns(), next = INT64_MAX;
  for (int index = ticking_count - 1; index >= 0; index -= 1) {
    int fd = ticking[index];
    if (connections[fd]->due_ns <= now) tick(fd, now);
    if (index < ticking_count && connections[ticking[index]]->due_ns < next) next = connections[ticking[index]]->due_ns;
  }
  int64_t wait = next - now_ns();
  return ticking_count == 0 ? -1 : wait > 0 ? wait : 0;
}

int main(int count, char **words) {
  aliases = words + 2;
  alias_count = count > 2 ? count - 2 : 0;
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 0)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || listen(listening, 4096) < 0) return perror("backend"), 1;
  socklen_t size = sizeof address;
  getsockname(listening, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  poll_fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listening};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, listening, &event);
  for (;;) {
    struct epoll_event events[256];
    int64_t wait_ns = tick_due();
    struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    int ready = epoll_pwait2(poll_fd, events, 256, wait_ns < 0 ? NULL : &wait, NULL);
    for (int index = 0; index < ready; index += 1) {
      int fd = events[index].data.fd;
      if (fd == listening) accept_all(listening);
      else if (connections[fd] == NULL) continue;
      else if (events[index].events & EPOLLOUT) flush(fd);
      else receive(fd);
    }
  }
}
