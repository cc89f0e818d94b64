/* freshet-bench: tests any server of event streams. It knows HTTP, SSE and Redis, and nothing of freshet but
 * the form of a message. */
#include "run/run.h"
#include <errno.h>
#include <string.h>

static bool write_files(const struct result *result, const struct options *options)
{
    bool fine = true;
    if (options->json != NULL && !report_json(result, options, options->json)) {
        fprintf(stderr, "freshet-bench: --json %s: %s\n", options->json, strerror(errno));
        fine = false;
    }
    if (options->plot != NULL && !report_plot(result, options, options->plot)) {
        fprintf(stderr, "freshet-bench: --plot %s: %s\n", options->plot, strerror(errno));
        fine = false;
    }
    return fine;
}

static int run(const struct options *options)
{
    struct result result;
    if (!run_all(options, &result)) {
        fprintf(stderr, "freshet-bench: no memory\n");
        result_release(&result);
        return 1;
    }
    bool json_takes_stdout = options->json != NULL && strcmp(options->json, "-") == 0;
    report_table(&result, options, json_takes_stdout ? stderr : stdout);
    bool fine = write_files(&result, options) && result_holds(&result, options);
    result_release(&result);
    return fine ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct options options;
    enum options_result read = options_read(&options, argc, argv, stdout, stderr);
    int status = read == OPTIONS_RUN ? run(&options) : read == OPTIONS_HELP ? 0 : 2;
    options_release(&options);
    return status;
}
