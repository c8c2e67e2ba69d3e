/*
 * A guest on libspice-server that does nothing of its own accord: what it draws, plays and listens to comes in records on its
 * standard input, and what its screen shows goes out on its standard output. It keeps no command longer than the library
 * needs it, and ends with its standard input.
 *
 *   guest [image-compression [jpeg-wan [zlib-glz-wan [streaming-video [playback-compression]]]]]   (the library's numbers)
 *
 * A record is four little-endian words (kind, bytes that follow, two arguments) and those bytes. Answers are a line of text
 * each: "listening PORT", "client TYPE ID", "gone TYPE ID", "heard FRAMES" and, with as many raw bytes behind it, "dump BYTES".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <spice.h>

enum { DRAW = 1, CURSOR, SURFACE, PRIMARY, DUMP, PLAY, SILENCE, LISTEN, DEAFEN, MONITORS, FLOOD };

static void fail(const char *what)
{
    fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

static void *need(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL) {
        fail("memory");
    }
    return memory;
}

/* ---- the loop that the library runs on --------------------------------------------------------------------------- */

struct SpiceTimer {
    SpiceTimerFunc func;
    void *opaque;
    uint64_t due; /* 0 when it is not set */
    bool removed;
    SpiceTimer *next;
};

struct SpiceWatch {
    int fd;
    int mask;
    SpiceWatchFunc func;
    void *opaque;
    bool removed;
    SpiceWatch *next;
};

static SpiceTimer *timers;
static SpiceWatch *watches;

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static SpiceTimer *timer_add(SpiceTimerFunc func, void *opaque)
{
    SpiceTimer *timer = need(sizeof(*timer));
    timer->func = func;
    timer->opaque = opaque;
    timer->next = timers;
    timers = timer;
    return timer;
}

static void timer_start(SpiceTimer *timer, uint32_t ms)
{
    timer->due = now_ms() + ms;
    if (timer->due == 0) {
        timer->due = 1;
    }
}

static void timer_cancel(SpiceTimer *timer)
{
    timer->due = 0;
}

static void timer_remove(SpiceTimer *timer)
{
    timer->due = 0;
    timer->removed = true;
}

static SpiceWatch *watch_add(int fd, int mask, SpiceWatchFunc func, void *opaque)
{
    SpiceWatch *watch = need(sizeof(*watch));
    watch->fd = fd;
    watch->mask = mask;
    watch->func = func;
    watch->opaque = opaque;
    watch->next = watches;
    watches = watch;
    return watch;
}

static void watch_update_mask(SpiceWatch *watch, int mask)
{
    watch->mask = mask;
}

static void watch_remove(SpiceWatch *watch)
{
    watch->mask = 0;
    watch->removed = true;
}

static void channel_event(int event, SpiceChannelEventInfo *info)
{
    if (event == SPICE_CHANNEL_EVENT_INITIALIZED) {
        say("client %d %d\n", info->type, info->id);
    } else if (event == SPICE_CHANNEL_EVENT_DISCONNECTED) {
        say("gone %d %d\n", info->type, info->id);
    }
}

static SpiceCoreInterface core = {
    .base = {
        .major_version = SPICE_INTERFACE_CORE_MAJOR,
        .minor_version = SPICE_INTERFACE_CORE_MINOR,
    },
    .timer_add = timer_add,
    .timer_start = timer_start,
    .timer_cancel = timer_cancel,
    .timer_remove = timer_remove,
    .watch_add = watch_add,
    .watch_update_mask = watch_update_mask,
    .watch_remove = watch_remove,
    .channel_event = channel_event,
};

/* What was removed may still be in use by whoever is being called; it is freed between two rounds. */
static void bury(void)
{
    for (SpiceTimer **at = &timers; *at != NULL;) {
        SpiceTimer *timer = *at;
        if (timer->removed) {
            *at = timer->next;
            free(timer);
        } else {
            at = &timer->next;
        }
    }
    for (SpiceWatch **at = &watches; *at != NULL;) {
        SpiceWatch *watch = *at;
        if (watch->removed) {
            *at = watch->next;
            free(watch);
        } else {
            at = &watch->next;
        }
    }
}

static void turn(void)
{
    struct pollfd polled[256];
    SpiceWatch *who[256];
    int count = 0;
    for (SpiceWatch *watch = watches; watch != NULL && count < 256; watch = watch->next) {
        if (watch->mask == 0) {
            continue;
        }
        polled[count].fd = watch->fd;
        polled[count].events = ((watch->mask & SPICE_WATCH_EVENT_READ) ? POLLIN : 0) |
                               ((watch->mask & SPICE_WATCH_EVENT_WRITE) ? POLLOUT : 0);
        polled[count].revents = 0;
        who[count++] = watch;
    }
    uint64_t now = now_ms();
    int timeout = -1;
    for (SpiceTimer *timer = timers; timer != NULL; timer = timer->next) {
        if (timer->due != 0) {
            int left = timer->due <= now ? 0 : (int)(timer->due - now);
            timeout = timeout < 0 || left < timeout ? left : timeout;
        }
    }
    if (poll(polled, count, timeout) < 0 && errno != EINTR) {
        fail("poll");
    }
    now = now_ms();
    for (SpiceTimer *timer = timers; timer != NULL; timer = timer->next) {
        if (timer->due != 0 && timer->due <= now) {
            timer->due = 0;
            timer->func(timer->opaque);
        }
    }
    for (int i = 0; i < count; i++) {
        int event = ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) ? SPICE_WATCH_EVENT_READ : 0) |
                    ((polled[i].revents & POLLOUT) ? SPICE_WATCH_EVENT_WRITE : 0);
        event &= who[i]->mask;
        if (event != 0 && !who[i]->removed) {
            who[i]->func(who[i]->fd, event, who[i]->opaque);
        }
    }
    bury();
}

/* ---- the graphics adapter: its worker takes the commands in a thread of its own ------------------------------------- */

typedef struct Command {
    QXLCommandExt ext;
    struct Command *next;
} Command;

typedef struct Queue {
    Command *first;
    Command **last;
    bool wanted;
} Queue;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Queue drawing = {.last = &drawing.first};
static Queue pointing = {.last = &pointing.first};
static SpiceServer *server;

#define SURFACES 1024

static struct {
    uint8_t *memory;
    uint32_t width, height, bytes;
} surfaces[SURFACES];

static uint32_t bytes_of(uint32_t format)
{
    switch (format) {
    case SPICE_SURFACE_FMT_8_A:
        return 1;
    case SPICE_SURFACE_FMT_16_555:
    case SPICE_SURFACE_FMT_16_565:
        return 2;
    default:
        return 4;
    }
}

static void attached_worker(QXLInstance *qxl)
{
    (void)qxl;
}

static void set_compression_level(QXLInstance *qxl, int level)
{
    (void)qxl;
    (void)level;
}

static void get_init_info(QXLInstance *qxl, QXLDevInitInfo *info)
{
    (void)qxl;
    memset(info, 0, sizeof(*info));
    info->num_memslots = 1;
    info->num_memslots_groups = 1;
    info->memslot_id_bits = 1;
    info->memslot_gen_bits = 1;
    info->n_surfaces = SURFACES;
}

/* Commands that are drawn again and again where they lie, so many times in all: their id is 0. */
#define FLOODS 256

static void *floods[FLOODS];
static uint32_t flood_count, flood_next;
static uint32_t flood_left;

static void *settle(const uint8_t *bytes, uint32_t size, uint32_t pointers);

static void add_flood(const uint8_t *bytes, uint32_t size, uint32_t pointers)
{
    if (flood_count == FLOODS) {
        fail("a flood of too many commands");
    }
    void *kept = settle(bytes, size, pointers);
    memset(kept, 0, 8);
    floods[flood_count++] = kept;
}

static int take(Queue *queue, QXLCommandExt *ext)
{
    pthread_mutex_lock(&lock);
    Command *command = queue->first;
    if (command != NULL) {
        queue->first = command->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    pthread_mutex_unlock(&lock);
    if (command == NULL) {
        return 0;
    }
    *ext = command->ext;
    free(command);
    return 1;
}

static int want(Queue *queue)
{
    pthread_mutex_lock(&lock);
    int empty = queue->first == NULL;
    queue->wanted = empty;
    pthread_mutex_unlock(&lock);
    return empty;
}

static int get_command(QXLInstance *qxl, QXLCommandExt *ext)
{
    (void)qxl;
    if (take(&drawing, ext)) {
        return 1;
    }
    pthread_mutex_lock(&lock);
    bool floods_now = flood_left > 0;
    flood_left -= floods_now;
    pthread_mutex_unlock(&lock);
    if (!floods_now) {
        return 0;
    }
    memset(ext, 0, sizeof(*ext));
    ext->cmd.type = QXL_CMD_DRAW;
    ext->cmd.data = (uintptr_t)floods[flood_next++ % flood_count];
    return 1;
}

static int req_cmd_notification(QXLInstance *qxl)
{
    (void)qxl;
    return want(&drawing);
}

static int get_cursor_command(QXLInstance *qxl, QXLCommandExt *ext)
{
    (void)qxl;
    return take(&pointing, ext);
}

static int req_cursor_notification(QXLInstance *qxl)
{
    (void)qxl;
    return want(&pointing);
}

/* Every command is one block of memory, and its id is where that begins; but for those of a flood, which stay. */
static void release_resource(QXLInstance *qxl, QXLReleaseInfoExt info)
{
    (void)qxl;
    free((void *)(uintptr_t)info.info->id);
}

static void notify_update(QXLInstance *qxl, uint32_t update)
{
    (void)qxl;
    (void)update;
}

static int flush_resources(QXLInstance *qxl)
{
    (void)qxl;
    return 0;
}

static void async_complete(QXLInstance *qxl, uint64_t cookie)
{
    (void)qxl;
    free((void *)(uintptr_t)cookie);
}

static void update_area_complete(QXLInstance *qxl, uint32_t surface, QXLRect *rects, uint32_t count)
{
    (void)qxl;
    (void)surface;
    (void)rects;
    (void)count;
}

static void set_client_capabilities(QXLInstance *qxl, uint8_t present, uint8_t caps[SPICE_CAPABILITIES_SIZE])
{
    (void)qxl;
    (void)present;
    (void)caps;
}

static const QXLInterface adapter = {
    .base = {
        .type = SPICE_INTERFACE_QXL,
        .description = "the adapter of a guest that is told what to draw",
        .major_version = SPICE_INTERFACE_QXL_MAJOR,
        .minor_version = SPICE_INTERFACE_QXL_MINOR,
    },
    .attached_worker = attached_worker,
    .set_compression_level = set_compression_level,
    .get_init_info = get_init_info,
    .get_command = get_command,
    .req_cmd_notification = req_cmd_notification,
    .release_resource = release_resource,
    .get_cursor_command = get_cursor_command,
    .req_cursor_notification = req_cursor_notification,
    .notify_update = notify_update,
    .flush_resources = flush_resources,
    .async_complete = async_complete,
    .update_area_complete = update_area_complete,
    .set_client_capabilities = set_client_capabilities,
};

static QXLInstance display = {.base = {.sif = &adapter.base}, .id = 0};

static void push(Queue *queue, uint32_t type, void *block)
{
    Command *command = need(sizeof(*command));
    command->ext.cmd.type = type;
    command->ext.cmd.data = (uintptr_t)block;
    pthread_mutex_lock(&lock);
    *queue->last = command;
    queue->last = &command->next;
    bool wanted = queue->wanted;
    queue->wanted = false;
    pthread_mutex_unlock(&lock);
    if (wanted) {
        spice_qxl_wakeup(&display);
    }
}

/* A block whose pointers are offsets into it; where they are stands at its end. The first word becomes its id. */
static void *settle(const uint8_t *bytes, uint32_t size, uint32_t pointers)
{
    if (size < 8 + (uint64_t)pointers * 4) {
        fail("a command that is cut short");
    }
    uint32_t length = size - pointers * 4;
    uint8_t *block = need(length);
    memcpy(block, bytes, length);
    for (uint32_t i = 0; i < pointers; i++) {
        uint32_t at;
        uint64_t address;
        memcpy(&at, bytes + length + i * 4, 4);
        if (at > length - 8) {
            fail("a pointer out of its command");
        }
        memcpy(&address, block + at, 8);
        address += (uintptr_t)block;
        memcpy(block + at, &address, 8);
    }
    uint64_t id = (uintptr_t)block;
    memcpy(block, &id, 8);
    return block;
}

static void keep_surface(uint32_t id, uint32_t width, uint32_t height, uint32_t format)
{
    if (id >= SURFACES) {
        fail("a surface beyond the last");
    }
    uint32_t bytes = bytes_of(format);
    free(surfaces[id].memory);
    surfaces[id].memory = need((size_t)width * height * bytes);
    surfaces[id].width = width;
    surfaces[id].height = height;
    surfaces[id].bytes = bytes;
}

static void create_surface(const uint8_t *bytes, uint32_t size)
{
    uint32_t words[4]; /* id, width, height, format */
    if (size != sizeof(words)) {
        fail("a surface that is cut short");
    }
    memcpy(words, bytes, sizeof(words));
    keep_surface(words[0], words[1], words[2], words[3]);
    QXLSurfaceCmd *command = need(sizeof(*command));
    command->release_info.id = (uintptr_t)command;
    command->surface_id = words[0];
    command->type = QXL_SURFACE_CMD_CREATE;
    command->u.surface_create.width = words[1];
    command->u.surface_create.height = words[2];
    command->u.surface_create.format = words[3];
    command->u.surface_create.stride = (int32_t)(words[1] * surfaces[words[0]].bytes);
    command->u.surface_create.data = (uintptr_t)surfaces[words[0]].memory;
    push(&drawing, QXL_CMD_SURFACE, command);
}

static void create_primary(const uint8_t *bytes, uint32_t size)
{
    uint32_t words[3]; /* width, height, format */
    if (size != sizeof(words)) {
        fail("a primary surface that is cut short");
    }
    memcpy(words, bytes, sizeof(words));
    if (surfaces[0].memory != NULL) {
        spice_qxl_destroy_primary_surface(&display, 0);
    }
    keep_surface(0, words[0], words[1], words[2]);
    QXLDevSurfaceCreate surface = {
        .width = words[0],
        .height = words[1],
        .format = words[2],
        .stride = (int32_t)(words[0] * surfaces[0].bytes),
        .mouse_mode = 1,
        .mem = (uintptr_t)surfaces[0].memory,
    };
    spice_qxl_create_primary_surface(&display, 0, &surface);
}

static void dump(uint32_t id)
{
    if (id >= SURFACES || surfaces[id].memory == NULL) {
        fail("no such surface");
    }
    QXLRect area = {.right = surfaces[id].width, .bottom = surfaces[id].height};
    QXLRect dirty;
    spice_qxl_update_area(&display, id, &area, &dirty, 1, 0);
    size_t bytes = (size_t)surfaces[id].width * surfaces[id].height * surfaces[id].bytes;
    printf("dump %zu\n", bytes);
    fwrite(surfaces[id].memory, 1, bytes, stdout);
    fflush(stdout);
}

static void tell_monitors(const uint8_t *bytes, uint32_t size)
{
    uint8_t *block = need(size);
    memcpy(block, bytes, size);
    spice_qxl_monitors_config_async(&display, (uintptr_t)block, 0, (uintptr_t)block);
}

/* ---- sound ---------------------------------------------------------------------------------------------------------- */

static const SpicePlaybackInterface speaker = {
    .base = {
        .type = SPICE_INTERFACE_PLAYBACK,
        .description = "the speaker",
        .major_version = SPICE_INTERFACE_PLAYBACK_MAJOR,
        .minor_version = SPICE_INTERFACE_PLAYBACK_MINOR,
    },
};
static SpicePlaybackInstance playback = {.base = {.sif = &speaker.base}};

static const SpiceRecordInterface microphone = {
    .base = {
        .type = SPICE_INTERFACE_RECORD,
        .description = "the microphone",
        .major_version = SPICE_INTERFACE_RECORD_MAJOR,
        .minor_version = SPICE_INTERFACE_RECORD_MINOR,
    },
};
static SpiceRecordInstance record = {.base = {.sif = &microphone.base}};

static uint32_t *period;
static uint32_t period_frames, period_filled;

static void play(const uint8_t *bytes, uint32_t size)
{
    uint32_t frames = size / 4;
    for (uint32_t done = 0; done < frames;) {
        if (period == NULL) {
            spice_server_playback_get_buffer(&playback, &period, &period_frames);
            period_filled = 0;
            if (period == NULL) {
                return; /* nobody listens */
            }
        }
        uint32_t part = frames - done;
        if (part > period_frames - period_filled) {
            part = period_frames - period_filled;
        }
        memcpy(period + period_filled, bytes + (size_t)done * 4, (size_t)part * 4);
        period_filled += part;
        done += part;
        if (period_filled == period_frames) {
            spice_server_playback_put_samples(&playback, period);
            period = NULL;
        }
    }
}

static SpiceTimer *ear;

static void hear(void *opaque)
{
    (void)opaque;
    uint32_t samples[4096];
    uint32_t frames = spice_server_record_get_samples(&record, samples, 4096);
    if (frames > 0) {
        printf("heard %u\n", frames);
        fwrite(samples, 4, frames, stdout);
        fflush(stdout);
    }
    timer_start(ear, 10);
}

/* ---- records -------------------------------------------------------------------------------------------------------- */

static uint8_t *input;
static size_t input_size, input_used;

static void obey(uint32_t kind, uint32_t size, uint32_t a, uint32_t b, const uint8_t *bytes)
{
    (void)b;
    switch (kind) {
    case DRAW:
        push(&drawing, QXL_CMD_DRAW, settle(bytes, size, a));
        break;
    case CURSOR:
        push(&pointing, QXL_CMD_CURSOR, settle(bytes, size, a));
        break;
    case SURFACE:
        create_surface(bytes, size);
        break;
    case PRIMARY:
        create_primary(bytes, size);
        break;
    case DUMP:
        dump(a);
        break;
    case PLAY:
        if (a != 0) {
            spice_server_set_playback_rate(&playback, a);
            spice_server_playback_start(&playback);
        }
        play(bytes, size);
        break;
    case SILENCE:
        period = NULL;
        spice_server_playback_stop(&playback);
        break;
    case LISTEN:
        spice_server_set_record_rate(&record, a);
        spice_server_record_start(&record);
        timer_start(ear, 10);
        break;
    case DEAFEN:
        timer_cancel(ear);
        spice_server_record_stop(&record);
        break;
    case MONITORS:
        tell_monitors(bytes, size);
        break;
    case FLOOD:
        if (size > 0) {
            add_flood(bytes, size, a);
        } else {
            pthread_mutex_lock(&lock);
            flood_left = flood_count > 0 ? flood_left + a : 0;
            drawing.wanted = false;
            pthread_mutex_unlock(&lock);
            spice_qxl_wakeup(&display);
        }
        break;
    default:
        fail("a record of no kind");
    }
}

static void read_records(int fd, int event, void *opaque)
{
    (void)event;
    (void)opaque;
    if (input_size - input_used < 1 << 16) {
        input_size = input_size * 2 + (1 << 17);
        input = realloc(input, input_size);
        if (input == NULL) {
            fail("memory");
        }
    }
    ssize_t got = read(fd, input + input_used, input_size - input_used);
    if (got == 0) {
        exit(0);
    }
    if (got < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return;
        }
        fail("standard input");
    }
    input_used += (size_t)got;
    size_t done = 0;
    while (input_used - done >= 16) {
        uint32_t head[4];
        memcpy(head, input + done, sizeof(head));
        if (input_used - done - 16 < head[1]) {
            break;
        }
        obey(head[0], head[1], head[2], head[3], input + done + 16);
        done += 16 + (size_t)head[1];
    }
    memmove(input, input + done, input_used - done);
    input_used -= done;
}

static void accept_client(int fd, int event, void *opaque)
{
    (void)event;
    (void)opaque;
    int client = accept(fd, NULL, NULL);
    if (client >= 0 && spice_server_add_client(server, client, 0) != 0) {
        close(client);
    }
}

static int option(int count, char **arguments, int at, int otherwise)
{
    return at < count ? atoi(arguments[at]) : otherwise;
}

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    server = spice_server_new();
    spice_server_set_noauth(server);
    spice_server_set_image_compression(server, option(count, arguments, 1, SPICE_IMAGE_COMPRESSION_OFF));
    spice_server_set_jpeg_compression(server, option(count, arguments, 2, SPICE_WAN_COMPRESSION_NEVER));
    spice_server_set_zlib_glz_compression(server, option(count, arguments, 3, SPICE_WAN_COMPRESSION_NEVER));
    spice_server_set_streaming_video(server, option(count, arguments, 4, SPICE_STREAM_VIDEO_OFF));
    spice_server_set_playback_compression(server, option(count, arguments, 5, 1));
    if (spice_server_init(server, &core) != 0) {
        fail("the library does not start");
    }
    if (spice_server_add_interface(server, &display.base) != 0 || spice_server_add_interface(server, &playback.base) != 0 ||
        spice_server_add_interface(server, &record.base) != 0) {
        fail("the library takes no device");
    }
    ear = timer_add(hear, NULL);
    /* All of our memory is the guest's: addresses are pointers. */
    QXLDevMemSlot slot = {.virt_end = ~(uintptr_t)0, .qxl_ram_size = ~0u};
    spice_qxl_add_memslot(&display, &slot);
    spice_server_vm_start(server);

    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        fail("no port");
    }
    watch_add(listener, SPICE_WATCH_EVENT_READ, accept_client, NULL);
    watch_add(STDIN_FILENO, SPICE_WATCH_EVENT_READ, read_records, NULL);
    say("listening %d\n", ntohs(address.sin_port));
    for (;;) {
        turn();
    }
}
