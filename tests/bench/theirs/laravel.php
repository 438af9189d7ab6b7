<?php
// Laravel's Redis queue: php THIS work | fill JOBS | pace JOBS. The worker is the one behind `artisan queue:work`.
require '/usr/share/php/Illuminate/autoload.php';

use Illuminate\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Events\Dispatcher;
use Illuminate\Queue\Capsule\Manager;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;
use Illuminate\Redis\RedisManager;

class Tally
{
    private static string $lines = '';

    public function fire($job, array $data): void
    {
        self::$lines .= $data['n'] . ' ' . $data['at_ns'] . ' ' . hrtime(true) . "\n";
        if ($ms = (int) getenv('MILLRACE_BENCH_MS')) {
            usleep(1000 * $ms);
        }
        $job->delete();
    }

    public static function write(): void
    {
        file_put_contents(getenv('MILLRACE_BENCH_RECORDS') . '/php-' . getmypid(), self::$lines);
    }
}

class Loud implements ExceptionHandler
{
    public function report(Throwable $e)
    {
        fwrite(STDERR, $e . "\n");
    }

    public function shouldReport(Throwable $e)
    {
        return true;
    }

    public function render($request, Throwable $e)
    {
    }

    public function renderForConsole($output, Throwable $e)
    {
    }
}

function data(int $n): array
{
    return ['n' => $n, 'at_ns' => hrtime(true), 'to' => 'ann@example.org', 'lang' => 'en', 'body' => str_repeat('0', 120)];
}

$container = new Container();
$container->bind('encrypter', fn () => null);
$container->instance(ExceptionHandler::class, new Loud());
$container->instance('redis', new RedisManager($container, 'phpredis', [
    'default' => ['host' => getenv('MILLRACE_BENCH_SOCKET'), 'port' => 0, 'database' => 0],
]));
$capsule = new Manager($container);
$capsule->addConnection(['driver' => 'redis', 'connection' => 'default', 'queue' => 'bench', 'retry_after' => 90,
    'block_for' => 5], 'default');
$queue = $capsule->getConnection();

[, $what] = $argv;
$jobs = (int) ($argv[2] ?? 0);
if ($what === 'work') {
    $worker = new Worker($capsule->getQueueManager(), new Dispatcher($container), new Loud(), fn () => false);
    register_shutdown_function([Tally::class, 'write']);
    $worker->daemon('default', 'bench', new WorkerOptions());
} elseif ($what === 'fill') {
    for ($n = 0; $n < $jobs; $n++) {
        $queue->push('Tally', data($n));
    }
} else {
    $at = hrtime(true);
    for ($n = 0; $n < $jobs; $n++) {
        $at += 5_000_000;
        usleep(max(0, intdiv($at - hrtime(true), 1000)));
        $queue->push('Tally', data($n));
    }
}
