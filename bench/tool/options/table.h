/* Every option: name, what it takes, kind, field, default, help. The order is that of the help. */
#define OPTIONS(X, TITLE)                                                                                    \
    TITLE("Streams: each URL may hold one range {A..B}; each of its numbers is a topic. Streams go over "    \
          "the URLs in\n"                                                                                    \
          "turn, then over the topics, so several URLs are several instances with the same topics.")         \
    X("streams", "N", COUNT, streams, "100", "how many to open")                                             \
    X("connect-rate", "RATE", RATE, connect_rate, "2000",                                                    \
      "connections begun a second; 0: as fast as it goes")                                                   \
    X("connecting", "N", COUNT, connecting, "256",                                                           \
      "streams on their way to their first event at once, per process")                                      \
    X("connect-timeout", "TIME", TIME, connect_timeout_ns, "10s",                                            \
      "without an answer for so long, it is tried again")                                                    \
    X("ready-timeout", "TIME", TIME, ready_ns, "60s",                                                        \
      "for all streams to be open, beyond what --connect-rate needs")                                        \
    X("reconnect", "TIME|never", DELAY, reconnect_ns, "1s", "when a lost stream comes back")                 \
    X("no-snapshot", NULL, FLAG, no_snapshot, NULL,                                                          \
      "the server sends no event at connect: the answer's head counts")                                      \
    X("stream-header", "LINE", LIST, stream_headers, NULL,                                                   \
      "sent with each stream's request; may be repeated")                                                    \
    X("compressed", NULL, FLAG, compressed, NULL, "asks for gzip, and unpacks it")                           \
    X("differences", NULL, FLAG, differences, NULL,                                                          \
      "asks for what changed only, as freshet.js does, and puts it into what\n"                              \
      "the stream holds")                                                                                    \
    X("processes", "N", COUNT, processes, "0",                                                               \
      "share the streams; 0: as the limit of descriptors asks, at least 1")                                  \
    X("sources", "LIST", SOURCES, sources, NULL,                                                             \
      "addresses to come from: 127.0.0.2,127.0.0.5-127.0.0.9; default: as\n"                                 \
      "many of 127.0.0.1 and up as the streams need, if the server is on 127.x.x.x")                         \
    X("warm-up", "N", COUNT, warm_up, "0",                                                                   \
      "streams opened before memory is first looked at; part of --streams")                                  \
    TITLE("Publishing: open loop, publish i is due at i / RATE and goes to topic i modulo the topics. In "   \
          "URL, body,\n"                                                                                     \
          "header, channel and command are filled in: {topic}, {seq} (its number in the topic), {time_us}, " \
          "{pad:N}.")                                                                                        \
    X("publish", "URL", LIST, publish, NULL,                                                                 \
      "http://..., redis://[USER:PASSWORD@]HOST:PORT[/DB] or\n"                                              \
      "redis+unix:///PATH; repeated (http only): in turn")                                                   \
    X("rate", "RATE", RATE, rate, "10", "publishes a second, over all topics")                               \
    X("duration", "TIME", TIME, duration_ns, "10s",                                                          \
      "how long to publish, or to look on if there is no --publish")                                         \
    X("warm", "TIME", TIME, warm_ns, "0s", "of that not measured")                                           \
    X("settle", "TIME", TIME, settle_ns, "5s", "at most, for the last publishes to arrive")                  \
    X("idle", "TIME", TIME, idle_ns, "0s",                                                                   \
      "of silence before publishing, for CPU and memory of idle streams")                                    \
    X("method", "NAME", TEXT, method, "POST", "http")                                                        \
    X("body", "TEXT", TEXT, body, "", "http: the body; redis: what is published")                            \
    X("header", "LINE", LIST, headers, NULL, "http: sent with each publish; may be repeated")                \
    X("publish-connections", "N", COUNT, publish_connections, "16",                                          \
      "http: per URL; a topic keeps to one of them")                                                         \
    X("any-order", NULL, FLAG, any_order, NULL, "http: publishes of one topic may overtake each other")      \
    X("pipeline", "N", COUNT, pipeline, "1", "http: publishes without an answer on one connection")          \
    X("channel", "NAME", TEXT, channel, NULL, "redis: where to publish")                                     \
    X("format", "freshet|raw", FORMAT, is_raw, "freshet",                                                    \
      "redis: body as the payload of a freshet message, or as\n"                                             \
      "it is")                                                                                               \
    X("redis-command", "TEXT", LIST, redis_commands, NULL,                                                   \
      "redis: sent before each publish; words between blanks")                                               \
    X("first-seq", "N", COUNT, first_seq, "1", "the first number, unless snapshots show higher ones")        \
    X("server-numbers", NULL, FLAG, server_numbers, NULL,                                                    \
      "the server counts publishes itself: {seq} is not sent")                                               \
    TITLE("What is in the data")                                                                             \
    X("number", "RULE", RULE, rule, "none",                                                                  \
      "where the number of an event stands: first, after:TEXT (right behind\n"                               \
      "TEXT), id:first, id:after:TEXT (in the id), none")                                                    \
    X("time", "us|ms|s|ns", UNIT, time_unit_ns, NULL,                                                        \
      "the number is the time of the publish since 1970, in this unit")                                      \
    X("skips", "fresh|lost", SKIPS, skips_are_lost, "fresh",                                                 \
      "what a jump over numbers means: they count as answered\n"                                             \
      "by the newer state, or as not delivered")                                                             \
    X("event", "NAME", TEXT, event, "", "the events that count; default: those without a name")              \
    TITLE(                                                                                                   \
        "Scenarios: TIME counts from the begin of publishing; each may be repeated but --churn and --slow")  \
    X("churn", "RATE", RATE, churn, "0", "streams a second that leave and are replaced by new clients")      \
    X("storm", "TIME[:PERCENT]", STORM, storms, NULL, "so many streams are closed and come back at once")    \
    X("stall", "TIME:TIME", STALL, stalls, NULL, "nobody reads, from the first for the second")              \
    X("slow", "N", COUNT, slow, "0", "of the streams read slowly; they are reported apart")                  \
    X("slow-rate", "BYTES", BYTES, slow_rate, "1k", "bytes a second that each of them reads")                \
    X("stalled", "N", COUNT, stalled, "0",                                                                   \
      "of the streams stop reading after their first event; reported as slow")                               \
    X("at", "TIME:COMMAND", COMMAND, commands, NULL,                                                         \
      "runs sh -c COMMAND; recovery is measured from its end")                                               \
    TITLE("The server, if it runs on this machine")                                                          \
    X("pid", "[NAME=]PID", PID, watched, NULL, "CPU and memory of this process; may be repeated")            \
    TITLE("Output")                                                                                          \
    X("json", "FILE", TEXT, json, NULL, "writes the result; - is stdout, then without the table")            \
    X("plot", "FILE.svg", TEXT, plot, NULL, "draws latency over time, and by percentile")                    \
    X("title", "TEXT", TEXT, title, "", "of the plot and the table")                                         \
    X("quiet", NULL, FLAG, quiet, NULL, "no progress lines")
