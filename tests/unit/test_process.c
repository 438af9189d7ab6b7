#include "dispatcher/process.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_ITS_GROUP, IN_A_GROUP_OF_ITS_OWN, ITS_GRANDCHILD, IN_A_SESSION_OF_ITS_OWN, FAMILY };

/* Says who it is and sleeps until somebody kills it, deaf to the polite ways. */
static void be_one(int out, int which)
{
    struct {
        int which;
        pid_t pid;
    } word = {which, getpid()};

    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (write(out, &word, sizeof(word)) != sizeof(word))
        _exit(1);
    for (;;)
        pause();
}

static void start_one(int out, int which)
{
    if (fork() != 0)
        return;
    if (which == IN_A_GROUP_OF_ITS_OWN)
        setpgid(0, 0);
    if (which == IN_A_SESSION_OF_ITS_OWN)
        setsid();
    if (which == ITS_GRANDCHILD) {
        setpgid(0, 0);
        if (fork() != 0)
            _exit(0);
    }
    be_one(out, which);
}

/* A worker as the dispatcher starts it, with all kinds of children; returns it. */
static pid_t start_family(pid_t pids[FAMILY])
{
    struct {
        int which;
        pid_t pid;
    } word;
    int words[2];

    mr_process_inherit_descendants();
    ck_assert_int_eq(pipe(words), 0);
    pid_t leader = fork();
    ck_assert_int_ge(leader, 0);
    if (leader == 0) {
        setsid();
        for (int which = 0; which < FAMILY; which++)
            start_one(words[1], which);
        for (;;)
            pause();
    }
    for (int i = 0; i < FAMILY; i++) {
        ck_assert_int_eq(read(words[0], &word, sizeof(word)), sizeof(word));
        pids[word.which] = word.pid;
    }
    close(words[0]);
    close(words[1]);
    return leader;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

START_TEST(whatever_a_dead_worker_had_started_dies)
{
    pid_t pids[FAMILY], leader = start_family(pids);

    end(leader);
    mr_wait_for(mr_process_kill_session(leader, _i), 5000);
    for (int which = 0; which < IN_A_SESSION_OF_ITS_OWN; which++)
        ck_assert_int_eq(mr_process_state(pids[which]), '\0'); /* not even a zombie is left */
    ck_assert_int_ne(mr_process_state(pids[IN_A_SESSION_OF_ITS_OWN]),
                     '\0'); /* it asked for that */
    end(pids[IN_A_SESSION_OF_ITS_OWN]);
}
END_TEST

START_TEST(a_living_worker_is_let_alone)
{
    pid_t pids[FAMILY], leader = start_family(pids);

    ck_assert(mr_process_kill_session(leader, _i));
    for (int which = 0; which < FAMILY; which++)
        ck_assert(strchr("RS", mr_process_state(pids[which])) != NULL);
    end(leader);
    for (int which = 0; which < FAMILY; which++)
        end(pids[which]);
}
END_TEST

static bool is_the_first(void *arg, pid_t pid)
{
    return pid == *(pid_t *)arg;
}

START_TEST(the_dead_are_collected_except_those_somebody_waits_for)
{
    pid_t first = fork();

    if (first == 0)
        _exit(0);
    pid_t second = fork();
    if (second == 0)
        _exit(0);
    mr_wait_for(mr_process_state(first) == 'Z' && mr_process_state(second) == 'Z', 5000);
    mr_process_collect(is_the_first, &first);
    ck_assert_int_eq(waitpid(first, NULL, 0), first); /* left to us */
    mr_process_collect(is_the_first, &first);
    ck_assert_int_eq(mr_process_state(second), '\0');
}
END_TEST

START_TEST(our_own_session_is_let_alone)
{
    pid_t bystander = fork();

    if (bystander == 0)
        for (;;)
            pause();
    ck_assert(mr_process_kill_session(getsid(0), false));
    ck_assert(mr_process_kill_session(0, false));
    ck_assert(mr_process_kill_session(1, false));
    ck_assert_int_eq(waitpid(bystander, NULL, WNOHANG), 0);
    end(bystander);
}
END_TEST

START_TEST(a_stopped_process_is_told_from_others)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    ck_assert(!mr_process_is_stopped(pid));
    kill(pid, SIGSTOP);
    mr_wait_for(mr_process_is_stopped(pid), 5000);
    end(pid);
    ck_assert_int_eq(mr_process_state(pid), '\0');
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {whatever_a_dead_worker_had_started_dies,                2},
        {a_living_worker_is_let_alone,                           2},
        {the_dead_are_collected_except_those_somebody_waits_for, 0},
        {our_own_session_is_let_alone,                           0},
        {a_stopped_process_is_told_from_others,                  0},
    };

    return mr_suite_run("process", tests);
}
