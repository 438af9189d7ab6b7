/* What is wrong with a configuration is said with its place and its remedy, all of it in one run. */
#include "proto/config.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static struct mr_config *config;
static struct mr_config_errors errors;
static const char *const no_variables[] = {"HOME=/root", NULL};

static enum mr_code load(const char *yaml, const char *const *environment)
{
    return mr_scratch_load(yaml, environment, &config, &errors);
}

static void done(void)
{
    ck_assert_ptr_null(config);
    mr_config_errors_fini(&errors);
}

static const struct {
    const char *yaml, *error;
} wrong[] = {
    {"redsi: {}\n",                                                                      "1:1: unknown key \"redsi\": did you mean \"redis\"?"             },
    {"redis: {ulr: x}\n",                                                                "1:9: unknown key \"ulr\" in redis: did you mean \"url\"?"        },
    {"log: {xyzzy: 1}\n",                                                                "1:7: unknown key \"xyzzy\" in log: known here are level, format" },
    {"pools: {high: {process: 1}}\n",
     "1:16: unknown key \"process\" in pools.high: did you mean \"processes\"?"                                                                            },
    {"mysql: {pool: {mni: 1}}\n",
     "1:16: unknown key \"mni\" in mysql.pool: did you mean \"min\"?"                                                                                      },
    {"jobs: {a: {command: [x], retrys: 1}}\n",
     "1:26: unknown key \"retrys\" in jobs.a: did you mean \"retry\"?"                                                                                     },
    {"lease: soon\n",
     "1:8: lease must be a span of time such as 250ms, 10s or 1h30m, got \"soon\""                                                                         },
    {"lease: 1s\n",                                                                      "1:8: lease must be within 2s..1h, got \"1s\""                    },
    {"lease: [1]\n",
     "1:8: lease must be a span of time such as 250ms, 10s or 1h30m, got a list"                                                                           },
    {"pools: {high: {processes: many}}\n",
     "1:27: pools.high.processes must be a whole number, got \"many\""                                                                                     },
    {"pools: {high: {processes: 1001}}\n",
     "1:27: pools.high.processes must be within 0..1000, got \"1001\""                                                                                     },
    {"pools: {high: {concurrency: 0}}\n",
     "1:29: pools.high.concurrency must be within 1..10000, got \"0\""                                                                                     },
    {"pools: {high: {nice: -21}}\n",
     "1:22: pools.high.nice must be within -20..19, got \"-21\""                                                                                           },
    {"pools: {high: {queues: ['a b']}}\n",
     "1:25: pools.high.queues must be names of queues, each 1 to 100 of A-Z a-z 0-9 _ . { } "
     "-, got \"a b\""                                                                                                                                      },
    {"pools: {high: {queues: []}}\n",
     "1:24: pools.high.queues must be a list of at least one queue, got a list"                                                                            },
    {"pools: {high: {queues: [a, b, a]}}\n",                                             "1:24: pools.high.queues names \"a\" twice"                       },
    {"pools: {high: {queues: ['a:2', b]}}\n",
     "1:24: pools.high.queues has weights: they count only with balance_queues: weighted"                                                                  },
    {"pools: {high: {balance_queues: weighted, queues: ['a:0']}}\n",
     "1:51: pools.high.queues must be names of queues, with weights 1..1000 as in name:2, got "
     "\"a:0\""                                                                                                                                             },
    {"pools: {high: {balance_queues: fair}}\n",
     "1:32: pools.high.balance_queues must be one of strict, weighted, got \"fair\""                                                                       },
    {"pools: {high: {backoff: often}}\n",
     "1:25: pools.high.backoff must be 1s..1h (doubling) or whole seconds up to 7d, one or a "
     "list, got \"often\""                                                                                                                                 },
    {"pools: {high: {backoff: 1h..1s}}\n",
     "1:25: pools.high.backoff must be 1s..1h (doubling) or whole seconds up to 7d, one or a "
     "list, got \"1h..1s\""                                                                                                                                },
    {"pools: {high: {backoff: [10, 1500ms]}}\n",
     "1:30: pools.high.backoff must be 1s..1h (doubling) or whole seconds up to 7d, one or a "
     "list, got \"1500ms\""                                                                                                                                },
    {"pools: {high: {backoff: []}}\n",
     "1:25: pools.high.backoff must hold 1 to 32 waits, got 0"                                                                                             },
    {"pools: {'a b': {}}\n",
     "1:9: \"a b\" is no name: pools are called by 1 to 100 of A-Z a-z 0-9 _ . { } -"                                                                      },
    {"pools: [high]\n",                                                                  "1:8: pools must be a map from names to options, got a list"      },
    {"pools: {high: 3}\n",                                                               "1:15: pools.high must be a map of options, got \"3\""            },
    {"redis: here\n",                                                                    "1:8: redis must be a map of options, got \"here\""               },
    {"[]\n",                                                                             "1:1: the document must be a map of options, got a list"          },
    {"redis: {url: 'http://:pw@h'}\n",
     "1:14: redis url: must begin with redis://, redis+unix:// or unix:"                                                                                   },
    {"redis: {url: 'redis://:pw@h:port'}\n",
     "1:14: redis url: port must be a number from 0 to 65535"                                                                                              },
    {"email: {url: 'mail:25'}\n",                                                        "1:14: email.url must begin with smtp:// or smtps://"             },
    {"email: {relays: {a: {tls: off}}}\n",
     "1:18: email.relays.a needs a url, such as smtp://mail.example.org:587"                                                                               },
    {"email: {url: 'smtp://m', relays: {default: {url: 'smtp://n'}}}\n",
     "1:35: email.relays.default is the mail server of email.url: give this one another name"                                                              },
    {"email: {relays: {a: {url: 'smtp://n', auth: xoauth2, username: u}}}\n",
     "1:45: email.relays.a.auth: xoauth2 needs email.relays.a.username, and "
     "email.relays.a.password or email.relays.a.token_file"                                                                                                },
    {"email: {url: 'smtp://m', password: s3cret, token_file: /t}\n",
     "1:56: email has both a password and a token_file: leave one out"                                                                                     },
    {"email: {relays: {a: {url: 'smtp://n', tls: strattls}}}\n",
     "1:44: email.relays.a.tls must be one of off, starttls, opportunistic, tls, got "
     "\"strattls\": did you mean \"starttls\"?"                                                                                                            },
    {"email: {from: Shop}\n",
     "1:15: email.from must be an address, such as Shop <shop@example.org>"                                                                                },
    {"email: {from: 'Shop <shop>'}\n",
     "1:15: email.from must be an address, such as Shop <shop@example.org>"                                                                                },
    {"email: {from: 'a b@c'}\n",
     "1:15: email.from must be an address, such as Shop <shop@example.org>"                                                                                },
    {"email: {from: \"S\\r\\nBcc: <e@f>\"}\n",
     "1:15: email.from must be an address, such as Shop <shop@example.org>"                                                                                },
    {"email: {ehlo: 'two words'}\n",
     "1:15: email.ehlo must be a host's name, such as mail.example.org"                                                                                    },
    {"email: {ehlo: ''}\n",                                                              "1:15: email.ehlo must be a host's name, such as mail.example.org"},
    {"email: {queues: {slow: {unknown: maybe}}}\n",
     "1:34: email.queues.slow.unknown must be one of retry, hold, got \"maybe\""                                                                           },
    {"redis: {password: [s3cret]}\n",                                                    "1:19: redis.password must be text, got a list"                   },
    {"log: {level: inof}\n",
     "1:14: log.level must be one of error, warn, info, debug, got \"inof\": did you mean "
     "\"info\"?"                                                                                                                                           },
    {"sms: {rate: 10}\n",                                                                "1:13: sms.rate must be a count and the time it is for, such as "
                          "10/s, 600/m or 5/1h (a count "
                          "up to 1000000, a time up to 7d), or 0 for no limit, got \"10\""                                        },
    {"http: {rate: [1/s]}\n",                                                            "1:14: http.rate must be a rate, such as 10/s, got a list"        },
    {"payment: {circuit: {open_for: 1ms}}\n",
     "1:31: payment.circuit.open_for must be within 1s..1h, got \"1ms\""                                                                                   },
    {"sms: {providers: {a: {url: 'http://h', token: t}}}\n",
     "1:19: sms.providers.a needs account: its kind is twilio"                                                                                             },
    {"sms: {providers: {a: {kind: http, url: 'http://h'}}}\n",
     "1:19: sms.providers.a needs body: its kind is http"                                                                                                  },
    {"sms: {order: [b]}\n",                                                              "1:14: sms.order names \"b\", which is not in sms.providers"      },
    {"sms: {url: 'http://h', order: [default, default], unknown: hold}\n",
     "1:31: sms.order names \"default\" twice"                                                                                                             },
    {"sms: {url: 'http://h', providers: {default: {kind: http, url: 'http://h', body: x}}, "
     "unknown: hold}\n",                                                            "1:35: sms.providers.default is there twice: sms.url and what stands beside it are the "
     "provider of that name"                                                                                                  },
    {"sms: {url: 'http://h', providers: {a: {kind: http, url: 'http://h', body: x}}}\n",
     "1:35: sms has several providers: so that nobody gets a message from two of them, say "
     "sms.record: true or sms.unknown: hold"                                                                                                               },
    {"sms: {record: true, secret: k}\n",
     "1:15: sms.record needs a database: mysql.database is not configured"                                                                                 },
    {"sms: {record: true}\nmysql: {database: d}\n",
     "1:15: sms.record needs sms.secret, under which numbers are hashed"                                                                                   },
    {"sms: {callback: 'https://h'}\n",
     "1:17: sms.callback needs sms.secret, with which it is signed"                                                                                        },
    {"sms: {providers: {a: {ok: 700, kind: http, url: 'http://h', body: x}}}\n",
     "1:27: sms.providers.a.ok must be HTTP statuses within 100..599, one or a list, got "
     "\"700\""                                                                                                                                             },
    {"sms: {providers: {a: {ok_when: status, kind: http, url: 'http://h', body: x}}}\n",
     "1:32: sms.providers.a.ok_when must be path=value such as messages.0.status=0, one or a "
     "list, "
     "got \"status\""                                                                                                                                      },
    {"debug_jobs: ja\n",                                                                 "1:13: debug_jobs must be true or false, got \"ja\""              },
    {"limits: {payload: 8M}\n",
     "1:19: limits.payload must be a size such as 512, 64KiB or 8MiB, got \"8M\""                                                                          },
    {"limits: {payload: 1GiB}\n",
     "1:19: limits.payload must be within 1KiB..512MiB, got \"1GiB\""                                                                                      },
    {"control: {listen: '9090'}\n",
     "1:19: control.listen must be host:port, as in 127.0.0.1:9090 or [::1]:9090"                                                                          },
    {"control: {listen: '0.0.0.0:9090'}\n",
     "1:19: control.listen can be reached from other machines, and its token would travel in "
     "clear: listen on 127.0.0.1, or say control.insecure: true"                                                                                           },
    {"modules: [a, [b]]\n",                                                              "1:14: modules must be a list of plain values, got a list"        },
    {"modules: 'a,,b'\n",                                                                "1:10: modules must be a list without empty items, got \"a,,b\""  },
    {"modules: {a: b}\n",                                                                "1:10: modules must be a list, got a map"                         },
    {"jobs: {a: {}}\n",                                                                  "1:8: jobs.a needs a command, such as [php, import.php]"          },
    {"jobs: {a: {handler: exec, tries: 2}}\n",
     "1:8: jobs.a needs a command, such as [php, import.php]"                                                                                              },
    {"jobs: {a: {command: php}}\n",
     "1:21: jobs.a.command must be a list that begins with a program, such as [php, "
     "import.php], got \"php\""                                                                                                                            },
    {"jobs: {a: {command: []}}\n",
     "1:21: jobs.a.command must be a list that begins with a program, such as [php, "
     "import.php], got a list"                                                                                                                             },
    {"jobs: {a: {command: [x], ok: [256]}}\n",
     "1:31: jobs.a.ok must be exit statuses within 0..255, one or a list, got \"256\""                                                                     },
    {"jobs: {a: {command: [x], env: {A: [s3cret]}}}\n",
     "1:31: jobs.a.env must be a map from names to plain values, got a map"                                                                                },
    {"jobs: {'a b': {command: [x]}}\n",
     "1:8: \"a b\" is no name: jobs are called by 1 to 200 of A-Z a-z 0-9 _ . \\ @ -"                                                                      },
    {"storage: {kind: s3, s3: {bucket: bbb, key: k}}\n",
     "1:17: storage.kind is s3, but storage.s3.secret is not configured"                                                                                   },
    {"storage: {kind: s3, s3: {bucket: bbb, secret: s}}\n",
     "1:17: storage.kind is s3, but storage.s3.key is not configured"                                                                                      },
    {"storage: {kind: s3, s3: {key: k, secret: s}}\n",
     "1:17: storage.kind is s3, but storage.s3.bucket is not configured"                                                                                   },
    {"storage: {s3: {bucket: A_b}}\n",
     "1:24: storage.s3.bucket must be 3 to 63 of a-z, 0-9, '.' and '-'"                                                                                    },
    {"storage: {s3: {prefix: a/../b}}\n",                                                "1:24: storage.s3.prefix must be at most 200 of A-Z "
                                          "a-z 0-9 _ . - and, between names, '/'"                                 },
    {"storage: {s3: {endpoint: 'https://h/path'}}\n",
     "1:26: storage.s3.endpoint must be https://host or https://host:port, with nothing behind "
     "it"                                                                                                                                                  },
    {"storage: {kind: ftp}\n",                                                           "1:17: storage.kind must be one of local, s3, got \"ftp\""        },
    {"storage: {s3: {part_size: 1MiB}}\n",
     "1:27: storage.s3.part_size must be within 5MiB..5GiB, got \"1MiB\""                                                                                  },
    {"storage: {s3: {endpoint: s3.example.org}}\n",
     "1:26: storage.s3.endpoint must begin with http:// or https://"                                                                                       },
    {"mysql: {pool: {min: 9, max: 3}}\n",                                                "1:15: mysql.pool.min 9 is above mysql.pool.max 3"                },
    {"billing: {number: \"{series}-{no}\"}\n",
     "1:19: billing.number knows {series}, {year}, {number} and {number:1} to {number:12}, not "
     "\"{no}\""                                                                                                                                            },
    {"billing: {number: \"{number}\"}\n",
     "1:19: billing.number must hold {series}: without it two numbers would be printed alike"                                                              },
    {"billing: {series: 2026/A}\n",
     "1:19: billing.series must be 1 to 20 of A-Z, 0-9 and \"-\", got \"2026/A\""                                                                          },
    {"billing: {due: 36h}\n",                                                            "1:16: billing.due must be a number of whole days, such as 14d"   },
    {"billing: {mail_queue: 'a b'}\n",                                                   "1:23: billing.mail_queue must be the name of a queue, "
                                       "1 to 100 of A-Z a-z 0-9 _ . { } -, got \"a b\""                              },
    {"billing: {yearly: true}\n",                                                        "1:19: billing.number must hold {year}, since the numbers of "
                                  "each year begin at 1 (billing.yearly)"                                                 },
    {"billing: {timezone: Europe/Berlim}\n",
     "1:21: billing.timezone must be a time zone that this system knows, such as UTC or "
     "Europe/Berlin, got \"Europe/Berlim\""                                                                                                                },
    {"billing: {timezone: ../../../etc/passwd}\n",
     "1:21: billing.timezone must be a time zone that this system knows, such as UTC or "
     "Europe/Berlin, got \"../../../etc/passwd\""                                                                                                          },
    {"billing: {due: 2y}\n",
     "1:16: billing.due must be a span of time such as 250ms, 10s or 1h30m, got \"2y\""                                                                    },
    {"billing: {credit_series: c-n}\n",
     "1:26: billing.credit_series must be 1 to 20 of A-Z, 0-9 and \"-\", got \"c-n\""                                                                      },
    {"billing: {dunning_mail: refused}\n",
     "1:25: billing.dunning_mail names a template, but templates.dir is not configured"                                                                    },
    {"billing: {renewal_mail: renewed}\n",
     "1:25: billing.renewal_mail names a template, but templates.dir is not configured"                                                                    },
    {"billing: {dunning: [3, 3]}\n",
     "1:20: billing.dunning must hold at most 20 days, each after the one before, such as "
     "[3, 7, 14]"                                                                                                                                          },
    {"billing: {dunning: 3d}\n",
     "1:20: billing.dunning must be whole days within 1..365, one or a list, got \"3d\""                                                                   },
    {"billing: {catch_up: all}\n",
     "1:21: billing.catch_up must be one of each, skip, got \"all\""                                                                                       },
    {"grace: 1\ngrace: 2\n",                                                             "2:1: \"grace\" stands here twice, first in line 1"               },
    {"redis: {prefix: \"${NOBODY}\"}\n",
     "1:17: the environment has no NOBODY: set it, or write ${NOBODY:-otherwise}"                                                                          },
    {"redis: {prefix: \"a${no-body}\"}\n",
     "1:17: \"${no-body\" is no variable: write ${NAME}, ${NAME:-otherwise}, or $${ for the "
     "characters themselves"                                                                                                                               },
    {"redis: {prefix: \"${HOME\"}\n",
     "1:17: \"${HOME\" is no variable: write ${NAME}, ${NAME:-otherwise}, or $${ for the "
     "characters themselves"                                                                                                                               },
    {"redis: {password: file:/no/such}\n",
     "1:19: /no/such cannot be read: No such file or directory"                                                                                            },
    {"redis: {password: file:/dev/zero}\n",                                              "1:19: /dev/zero cannot be read: File too large"                  },
    {"lease: ${HOME}\n",
     "1:8: lease must be a span of time such as 250ms, 10s or 1h30m, got something else from "
     "outside this file"                                                                                                                                   },
};

START_TEST(each_error_names_place_fault_and_remedy)
{
    ck_assert_int_eq(load(wrong[_i].yaml, no_variables), MR_EINVAL);
    ck_assert_ptr_null(config);
    ck_assert_msg(errors.n_lines == 1, "%s\n%s", errors.lines[0], errors.lines[1]);
    const char *line = strchr(errors.lines[0], ':');
    ck_assert_str_eq(line + 1, wrong[_i].error);
    done();
}
END_TEST

START_TEST(all_errors_come_in_one_run)
{
    ck_assert_int_eq(load("lease: 1\nredsi: x\nlog: {level: 7, format: 8}\n"
                          "pools: {a: {tries: -1}, b: {tries: x}}\n",
                          no_variables),
                     MR_EINVAL);
    ck_assert_uint_eq(errors.n_lines, 6);
    done();
}
END_TEST

START_TEST(a_missing_file_is_said_so)
{
    ck_assert_int_eq(mr_config_load("/no/such.yaml", no_variables, &config, &errors), MR_EIO);
    ck_assert_uint_eq(errors.n_lines, 1);
    ck_assert_str_eq(errors.lines[0],
                     "/no/such.yaml: cannot be read: No such file or directory");
    done();
}
END_TEST

START_TEST(a_socket_path_too_long_is_said_so)
{
    char yaml[256];

    snprintf(yaml, sizeof(yaml), "runtime_dir: /%0*d\n", 100, 0);
    ck_assert_int_eq(load(yaml, no_variables), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(errors.lines[0],
                                 ": the path of control.socket has 114 bytes, a unix socket's "
                                 "at most 107: set control.socket or runtime_dir"));
    done();
}
END_TEST

static const struct {
    const char *variable, *error;
} wrong_variables[] = {
    {"MILLRACE_LEASE=1s",              "MILLRACE_LEASE: lease must be within 2s..1h, got \"1s\""},
    {"MILLRACE_REDIS_ULR=redis://x",
     "MILLRACE_REDIS_ULR: no such option: did you mean MILLRACE_REDIS_URL?"                     },
    {"MILLRACE_POOLS_HIGH_PROCESES=1",
     "MILLRACE_POOLS_HIGH_PROCESES: no such option: write MILLRACE_POOLS_<NAME>_<OPTION>, as "
     "in MILLRACE_POOLS_HIGH_PROCESSES"                                                         },
    {"MILLRACE_POOLS_A_PROCESSES=x",
     "MILLRACE_POOLS_A_PROCESSES: pools.a.processes must be a whole number, got \"x\""          },
    {"MILLRACE_PROCESSES=3",
     "MILLRACE_PROCESSES: there are 2 pools: say which, as in MILLRACE_POOLS_HIGH_PROCESSES"    },
    {"MILLRACE_POOLS=a,b c",
     "MILLRACE_POOLS: pools.a.queues must be names of queues, each 1 to 100 of A-Z a-z 0-9 _ . "
     "{ } -, got \"a,b c\""                                                                     },
    {"MILLRACE_REDIS_PREFIX=\xff",
     "MILLRACE_REDIS_PREFIX: the text that belongs here is not valid UTF-8"                     },
    {"MILLRACE_CONTROL_LISTEN=:9090",
     "MILLRACE_CONTROL_LISTEN: control.listen must be host:port, as in 127.0.0.1:9090 or "
     "[::1]:9090"                                                                               },
};

START_TEST(an_error_in_the_environment_names_the_variable)
{
    const char *const environment[] = {wrong_variables[_i].variable, NULL};

    ck_assert_int_eq(load("pools: {a: {}, b: {}}\n", environment), MR_EINVAL);
    ck_assert_uint_eq(errors.n_lines, 1);
    ck_assert_str_eq(errors.lines[0], wrong_variables[_i].error);
    done();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {each_error_names_place_fault_and_remedy,        MR_COUNT(wrong)          },
        {all_errors_come_in_one_run,                     0                        },
        {a_missing_file_is_said_so,                      0                        },
        {a_socket_path_too_long_is_said_so,              0                        },
        {an_error_in_the_environment_names_the_variable, MR_COUNT(wrong_variables)},
    };

    return mr_suite_run("config_errors", tests);
}
