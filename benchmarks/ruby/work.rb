# frozen_string_literal: true

# What the jobs of Ruby's contenders do, and the stamps by which they note it.
#
# See work.py and stamps.py: the same mapped file, in the same layout.

require "fiddle"

module Work
  BYTES_OF_A_JOB = 18 # begin and end are doubles; how often each was noted is a byte
  READ_AND_WRITE = 3
  SHARED = 1

  module_function

  def mapped(path)
    pointer, size, int = Fiddle::TYPE_VOIDP, Fiddle::TYPE_SIZE_T, Fiddle::TYPE_INT
    types = [pointer, size, int, int, int, Fiddle::TYPE_LONG]
    mmap = Fiddle::Function.new(Fiddle.dlopen(nil)["mmap"], types, pointer)
    File.open(path, "r+b") do |file|
      address = mmap.call(0, file.size, READ_AND_WRITE, SHARED, file.fileno, 0)
      Fiddle::Pointer.new(address.to_i, file.size)
    end
  end

  MEMORY = mapped(ENV.fetch("BENCH_STAMPS"))
  ROOM = MEMORY.size / BYTES_OF_A_JOB
  STARTS, ENDS, RUNS, ENDINGS = 0, 8 * ROOM, 16 * ROOM, 17 * ROOM

  # The seconds of the clock that all processes of the machine share.
  def monotonic
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def began(index)
    MEMORY[STARTS + 8 * index, 8] = [monotonic].pack("d")
    MEMORY[RUNS + index] += 1
  end

  def ended(index)
    MEMORY[ENDS + 8 * index, 8] = [monotonic].pack("d") if MEMORY[ENDINGS + index].zero?
    MEMORY[ENDINGS + index] += 1
  end

  # Do next to nothing with two small arguments.
  def noop(index, other)
    began(index)
    other
  end

  # Keep one thread of the worker waiting for so long.
  def hold(index, milliseconds)
    began(index)
    sleep(milliseconds / 1000.0)
    ended(index)
    milliseconds
  end
end
