# Sidekiq's job, for its own command line (sidekiq -r THIS); run itself, its producer: ruby THIS fill JOBS | pace JOBS.
require 'sidekiq'

redis = { url: "unix://#{ENV.fetch('MILLRACE_BENCH_SOCKET')}" }
Sidekiq.configure_client { |config| config.redis = redis }
Sidekiq.configure_server do |config|
  config.redis = redis
  config.logger.level = Logger::WARN # two lines a job are not its queue's work
end

def now_ns
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
end

class Tally
  include Sidekiq::Job
  sidekiq_options queue: 'bench', retry: true

  STARTS = [] # a file's buffer is not safe between threads
  SLEEP_S = ENV.fetch('MILLRACE_BENCH_MS', '0').to_i / 1000.0

  def perform(data)
    STARTS << "#{data['n']} #{data['at_ns']} #{now_ns}\n"
    sleep(SLEEP_S) if SLEEP_S > 0
  end
end

at_exit do
  File.write(File.join(ENV.fetch('MILLRACE_BENCH_RECORDS'), "ruby-#{$$}"), Tally::STARTS.join)
end

def data(number)
  { 'n' => number, 'at_ns' => now_ns, 'to' => 'ann@example.org', 'lang' => 'en', 'body' => '0' * 120 }
end

if $PROGRAM_NAME == __FILE__
  jobs = ARGV[1].to_i
  if ARGV[0] == 'fill'
    (0...jobs).each_slice(1000) do |numbers|
      Sidekiq::Client.push_bulk('class' => Tally, 'args' => numbers.map { |number| [data(number)] })
    end
  else
    at = now_ns
    jobs.times do |number|
      at += 5_000_000
      rest = at - now_ns
      sleep(rest / 1e9) if rest > 0
      Tally.perform_async(data(number))
    end
  end
end
