# frozen_string_literal: true

# Sidekiq, as it comes: threads, ten a process, and no results.

require "logger"
require "rbconfig"
require "sidekiq"
require_relative "../ruby/work"

redis = { url: ENV.fetch("BENCH_URL") }
Sidekiq.configure_client { |config| config.redis = redis }
Sidekiq.configure_server do |config|
  config.redis = redis
  config.logger.level = Logger::WARN # else two lines for each job
end

class Noop
  include Sidekiq::Job

  def perform(index, other)
    Work.noop(index, other)
  end
end

class Hold
  include Sidekiq::Job

  def perform(index, milliseconds)
    Work.hold(index, milliseconds)
  end
end

module Contender
  KEEPS = "nothing"
  THREADS = 10
  TASKS = { "noop" => Noop, "hold" => Hold, "nap" => Hold }.freeze # one thread each

  module_function

  def enqueue(task, index, other)
    TASKS.fetch(task).perform_async(index, other)
  end

  def enqueue_many(task, first, count, other)
    TASKS.fetch(task).perform_bulk(Array.new(count) { |row| [first + row, other] })
  end

  def workers(processes, concurrency)
    command = [RbConfig.ruby, Gem.bin_path("sidekiq", "sidekiq"), "--require", __FILE__]
    [[*command, "--concurrency", (concurrency || THREADS).to_s]] * processes
  end
end
