// The fuzzer's own promises: it finds what is broken, makes it small, repeats itself, and its grammars are honest when they do not lie.

import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { type Door, door, law } from '../../scripts/fuzz/door.ts'
import { viewGrammar } from '../../scripts/fuzz/doors/core-drafts.ts'
import { fuzz, judge, type Tally } from '../../scripts/fuzz/engine.ts'
import { Ink } from '../../scripts/fuzz/ink.ts'
import { fuzzInThreads } from '../../scripts/fuzz/pool.ts'
import { ByteReader, MalformedBytes } from '../../src/core/bytes.ts'
import { decodeView, encodeView } from '../../src/core/causality/view.ts'
import { FrameReader } from '../../src/link/framing.ts'
import { PART } from '../../src/protocol/messages.ts'

const list = fc.array(fc.nat(300), { maxLength: 26, size: 'max' }).map((numbers) => (ink: Ink) => {
  ink.varint(numbers.length)
  for (const number of numbers) ink.varint(number)
})

/** A list of numbers, read by somebody who makes one mistake. */
function mistaken(read: (reader: ByteReader) => number[], encode?: (numbers: number[]) => Buffer): Door {
  return door<number[]>({
    name: 'list',
    weight: 1,
    grammar: list,
    samples: () => [],
    isDeclared: (error) => error instanceof MalformedBytes,
    read: (bytes) => read(new ByteReader(bytes)),
    kindOf: (numbers) => String(numbers.length),
    ...(encode && { check: (numbers, bytes) => law(encode(numbers).equals(bytes), 'two spellings') }),
  })
}

function run(only: Door, executions = 3000): Promise<Tally> {
  const target = { name: 'frames', sources: [], doors: [only] } as const
  return fuzz({ target, seed: 7, executions, seconds: 10, corpus: [], minimiseMs: 1500 })
}

const numbersOf = (reader: ByteReader, count: number): number[] => Array.from({ length: count }, () => reader.varint())

function right(reader: ByteReader): number[] {
  const numbers = numbersOf(reader, reader.count(1))
  reader.end()
  return numbers
}

function encoded(numbers: number[]): Buffer {
  return Ink.render((ink) => {
    ink.varint(numbers.length)
    for (const number of numbers) ink.varint(number)
  }, []).bytes
}

describe('a decoder', () => {
  it('that makes no mistake passes', async () => {
    expect((await run(mistaken(right, encoded))).failures).toEqual([])
  })

  it('that checks no bounds is found, and the sample is small', async () => {
    const { failures } = await run(
      mistaken((reader) => {
        const numbers = right(reader)
        if (numbers.length > 5) return [(numbers[numbers.length] as unknown as { at: number }).at]
        return numbers
      }),
    )
    expect(failures).toMatchObject([{ signature: expect.stringMatching(/^list TypeError/) as string }])
    expect(failures[0]?.bytes.length).toBeLessThan(40)
  })

  it('that believes a count is found by what it allocates', async () => {
    const { failures } = await run(
      mistaken((reader) => {
        const count = Math.min(reader.varint(), 2 ** 24)
        const room = Buffer.allocUnsafeSlow(count)
        if (count > reader.remaining) throw new MalformedBytes(`too many for ${room.length}`)
        return numbersOf(reader, count)
      }),
    )
    expect(failures.map(({ signature }) => signature)).toEqual(['list memory'])
    expect(failures[0]?.bytes.length).toBeLessThan(9)
  })

  it('that takes two spellings is found', async () => {
    const { failures } = await run(
      mistaken((reader) => numbersOf(reader, reader.count(1)), encoded), // and no end
    )
    expect(failures).toMatchObject([{ signature: 'list law: two spellings' }])
    expect(failures[0]?.bytes.length).toBeLessThan(40)
  })

  it('that is exponential is found', async () => {
    const tries = (numbers: readonly number[], at: number): number =>
      at >= numbers.length ? 0 : tries(numbers, at + 1) + tries(numbers, at + 1)
    const { failures } = await run(
      mistaken((reader) => {
        const numbers = right(reader)
        tries(numbers.slice(0, 24), 0)
        return numbers
      }),
      600,
    )
    expect(failures.map(({ signature }) => signature)).toEqual(['list slow'])
  })
})

it('tells the same story twice, and another with another seed', async () => {
  const kinds = async (seed: number): Promise<string> => {
    const target = { name: 'frames', sources: [], doors: [mistaken(right)] } as const
    return JSON.stringify([...(await fuzz({ target, seed, executions: 500, seconds: 60, corpus: [] })).kinds])
  }
  expect(await kinds(1)).toBe(await kinds(1))
  expect(await kinds(1)).not.toBe(await kinds(2))
})

it('writes honest views as production does, where nothing is a lie', () => {
  let same = 0
  for (const draft of fc.sample(viewGrammar, { numRuns: 300, seed: 1 })) {
    const { bytes } = Ink.render(draft, [])
    try {
      if (encodeView(decodeView(bytes)).equals(bytes)) same++
    } catch (error) {
      // Unknown content types, and more dots than can be counted.
      expect(error).toBeInstanceOf(MalformedBytes)
    }
  }
  expect(same).toBeGreaterThan(100)
})

it('runs in threads, which tell what they found', { timeout: 60_000 }, async () => {
  const { tally, coverage } = await fuzzInThreads({
    ...{ target: 'contexts', executions: 600, seconds: 60, seed: 1, jobs: 1, coverage: true },
    onProgress: () => {},
  } as const)
  expect(tally.executions).toBeGreaterThanOrEqual(600)
  expect(tally.failures).toEqual([])
  const token = coverage.find(({ file }) => file.endsWith('context-token.ts'))
  expect(token?.reached).toBeGreaterThan((token?.lines ?? Infinity) / 2)
})

it('readers whose peers promise much and send little keep to what came', async () => {
  const promise = Buffer.alloc(9)
  promise.writeUInt32LE(PART + 5, 0)
  promise.writeUInt32LE(24 << 20, 4)
  const readers = Array.from({ length: 40 }, () => new FrameReader())
  const before = process.memoryUsage().rss
  for (const reader of readers) {
    reader.push(promise)
    expect(reader.advance()).toBe(false)
  }
  // 960 MiB were promised.
  expect(process.memoryUsage().rss - before).toBeLessThan(60 << 20)
  for (const claim of [1 << 30, PART - 1, 0])
    expect(() => {
      const reader = new FrameReader()
      const length = Buffer.alloc(4)
      length.writeUInt32LE(claim)
      reader.push(length)
      reader.advance()
    }).toThrow('is not allowed')
})

it('judges by its own thread: what is slow once is not slow', async () => {
  let times = 0
  const slowOnce = mistaken((reader) => {
    const before = process.threadCpuUsage()
    if (times++ === 0) while (process.threadCpuUsage(before).user < 120_000);
    return right(reader)
  })
  const { failure, ms } = await judge(slowOnce, Buffer.of(0))
  expect([failure, times > 1, ms < 50]).toEqual([null, true, true])
})
