#include "watch.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t watch_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool watch_address_read(struct watch_address *address, const char *text)
{
    static const char scheme[] = "http://";
    if (strncmp(text, scheme, strlen(scheme)) == 0)
        text += strlen(scheme);
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(address->host) ||
        strlen(colon + 1) >= sizeof(address->port))
        return false;
    memcpy(address->host, text, (size_t)(colon - text));
    address->host[colon - text] = '\0';
    strcpy(address->port, colon + 1);
    return true;
}

static int show_usage(void)
{
    fputs(
        "freshet-watch live  A B REDIS PREFIX [CONTROL ORDERS]   shows what happens on two instances\n"
        "freshet-watch check A B REDIS PREFIX SOCKET             measures them; bridge/demo --check runs it\n"
        "A, B and REDIS are HOST:PORT; SOCKET is Redis's unix socket. With CONTROL, 127.0.0.1:PORT, it "
        "takes\n"
        "the orders of the page there, if they come with $FRESHET_DEMO_TOKEN (16 characters or more), and\n"
        "writes them to the FIFO at ORDERS: k and s stop and start Redis, x and y stop and start B.\n",
        stderr);
    return 2;
}

/* Nothing but loopback: whoever has the token stops programs. */
static bool read_control(struct watch_arguments *arguments, const char *control, const char *orders_path)
{
    arguments->orders_path = orders_path;
    arguments->token = getenv("FRESHET_DEMO_TOKEN");
    return watch_address_read(&arguments->control, control) &&
           strcmp(arguments->control.host, "127.0.0.1") == 0 && arguments->token != NULL &&
           strlen(arguments->token) >= 16;
}

int main(int argc, char **argv)
{
    struct watch_arguments arguments = {.prefix = argc > 5 ? argv[5] : NULL,
                                        .socket_path = argc == 7 ? argv[6] : NULL};
    bool check = argc == 7 && strcmp(argv[1], "check") == 0,
         live = (argc == 6 || argc == 8) && strcmp(argv[1], "live") == 0;
    if ((!check && !live) || (argc == 8 && !read_control(&arguments, argv[6], argv[7])) ||
        !watch_address_read(&arguments.instances[0], argv[2]) ||
        !watch_address_read(&arguments.instances[1], argv[3]) ||
        !watch_address_read(&arguments.redis, argv[4]))
        return show_usage();
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (arguments.orders_path != NULL && !watch_control_start(&arguments))
        return 1;
    return check ? watch_check(&arguments) : watch_live(&arguments);
}
