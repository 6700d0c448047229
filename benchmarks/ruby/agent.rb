# frozen_string_literal: true

# Uses one contender of Ruby: takes orders from the runner, a line of JSON each, as agent.py does.
#
# Started as `ruby agent.rb MODULE`.

require "json"

REPLIES = $stdout.dup
$stdout.reopen($stderr) # what libraries print goes to the log
require_relative "../contenders/#{ARGV[0]}"

class Agent
  def keeps
    Contender::KEEPS
  end

  def workers(processes:, concurrency:)
    Contender.workers(processes, concurrency)
  end

  def one_by_one(first:, count:, other:)
    seconds { count.times { |row| Contender.enqueue("noop", first + row, other) } }
  end

  def in_bulk(task:, count:, other:, chunk:)
    seconds do
      0.step(count - 1, chunk) do |first|
        Contender.enqueue_many(task, first, [chunk, count - first].min, other)
      end
    end
  end

  def paced(count:, other:, pause:)
    due = Work.monotonic
    Array.new(count) do |index|
      called = Work.monotonic
      Contender.enqueue("noop", index, other)
      due += pause
      sleep([due - Work.monotonic, 0].max)
      called
    end
  end

  private

  def seconds
    began = Work.monotonic
    yield
    Work.monotonic - began
  end
end

def obeyed(agent, line)
  name, given = JSON.parse(line, symbolize_names: true)
  { answer: agent.public_send(name, **given) }
rescue StandardError => e
  warn e.full_message # the runner notes it and goes on
  { error: "#{e.class}: #{e.message}" }
end

agent = Agent.new
$stdin.each_line do |line|
  REPLIES.puts(JSON.generate(obeyed(agent, line)))
  REPLIES.flush
end
