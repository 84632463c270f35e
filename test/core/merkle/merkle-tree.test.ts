import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedBytes } from '../../../src/core/bytes.ts'
import { beginDiff, childDigests, continueDiff } from '../../../src/core/merkle/diff.ts'
import { keyDigest as digestOf } from '../../../src/core/merkle/key-digest.ts'
import { MerkleTree, LEAVES } from '../../../src/core/merkle/merkle-tree.ts'
import type { TreeShape } from '../../../src/core/merkle/merkle-tree.ts'
import { keyHash, leafOfHash } from '../../../src/core/ring/key-hash.ts'

type Data = ReadonlyMap<string, string> // key → dots, as `a1,b1`

function keyDigest(bucket: string, key: string, dots: string): ReturnType<typeof digestOf> {
  const versions = dots.split(',').map((dot) => ({ dot: { life: dot[0]!.repeat(16), counter: Number(dot.slice(1)) } }))
  return digestOf(keyHash(bucket, key), versions, [])
}

const leafOf = (key: string, tree: MerkleTree): number => leafOfHash(keyHash('b', key), 16, tree.leaves)

function treeOf(data: Data, shape?: TreeShape): MerkleTree {
  const tree = new MerkleTree(shape)
  for (const [key, dots] of data) tree.update(leafOf(key, tree), null, keyDigest('b', key, dots))
  return tree
}

function allDigests(tree: MerkleTree): string[] {
  const digests = [tree.rootHex]
  for (let level = 0; level < tree.shape.depth; level++) {
    const nodes = Array.from({ length: tree.shape.fanOut ** level }, (_, node) => node)
    digests.push(...childDigests(tree, level, nodes))
  }
  return digests
}

/** Walks; also counts the questions. */
function diff(mine: MerkleTree, theirs: MerkleTree): { leaves: readonly number[]; questions: number } {
  let step = beginDiff(mine, theirs.rootHex)
  let questions = 0
  while (step.type === 'ask') {
    questions++
    step = continueDiff(mine, step, childDigests(theirs, step.level, step.nodes))
  }
  return { leaves: step.leaves, questions }
}

const someKey = fc.constantFrom(...Array.from({ length: 40 }, (_, i) => `key-${i}`))
const someDots = fc.constantFrom('a1', 'a2', 'a1,b1', 'c9')
const someData = fc.array(fc.tuple(someKey, someDots), { maxLength: 60 }).map((pairs) => new Map(pairs))
const someShape = fc.constantFrom<TreeShape>(
  { fanOut: 16, depth: 2 },
  { fanOut: 2, depth: 4 },
  { fanOut: 4, depth: 1 },
  { fanOut: 2, depth: 0 },
)

describe('a tree', () => {
  test('changed step by step equals one built from what is there in the end', () => {
    const change = fc.tuple(someKey, fc.option(someDots))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 80 }), someShape, (changes, shape) => {
        const tree = new MerkleTree(shape)
        const data = new Map<string, string>()
        for (const [key, dots] of changes) {
          const before = data.get(key)
          if (dots === null) data.delete(key)
          else data.set(key, dots)
          tree.update(
            leafOf(key, tree),
            before === undefined ? null : keyDigest('b', key, before),
            dots === null ? null : keyDigest('b', key, dots),
          )
        }
        expect(allDigests(tree)).toEqual(allDigests(treeOf(data, shape)))
        expect(tree.keys).toBe(data.size)
      }),
    )
  })

  test('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(someData, (data) => {
        expect(allDigests(treeOf(new Map([...data].reverse())))).toEqual(allDigests(treeOf(data)))
      }),
    )
  })

  test('has the same root if and only if the data are the same', () => {
    fc.assert(
      fc.property(someData, someData, (a, b) => {
        const equal = a.size === b.size && [...a].every(([key, dots]) => b.get(key) === dots)
        expect(treeOf(a).rootHex === treeOf(b).rootHex).toBe(equal)
      }),
    )
  })

  test('tells a key that is counted twice from one that is absent', () => {
    const tree = new MerkleTree()
    const digest = keyDigest('b', 'k', 'a1')
    tree.update(7, null, digest)
    tree.update(7, null, digest)
    expect(tree.rootHex).not.toBe(new MerkleTree().rootHex)
  })

  test('that lost its last key is empty again', () => {
    const tree = treeOf(new Map([['k', 'a1']]))
    tree.update(leafOf('k', tree), keyDigest('b', 'k', 'a1'), null)
    expect(tree.rootHex).toBe('0000000000000000')
    expect(tree.keys).toBe(0)
  })

  test('notices a removal of what was never there', () => {
    const tree = treeOf(new Map([['k', 'a1']]))
    expect(() => tree.update(leafOf('k', tree), keyDigest('b', 'k', 'a2'), null)).toThrow('invariant')
    expect(() => new MerkleTree().update(LEAVES, null, keyDigest('b', 'k', 'a1'))).toThrow('leaf')
  })
})

test('a key is told by its name, its dots and its dead tags, each in order', () => {
  const [a, b] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb']
  const dot = (life: string, counter: number): { dot: { life: string; counter: number } } => ({
    dot: { life, counter },
  })
  const dead = (
    id: string,
    counter: number,
    kills = true,
  ): ReturnType<typeof dot> & { id: string; kills: boolean } => ({
    ...{ id, kills },
    ...dot(b, counter),
  })
  const told = [
    digestOf(keyHash('b', 'k'), [], [dead(a, 1)]),
    digestOf(keyHash('b', 'l'), [], [dead(a, 1)]),
    digestOf(keyHash('b', 'k'), [dot(a, 1)], []),
    digestOf(keyHash('b', 'k'), [dot(a, 2)], []),
    digestOf(keyHash('b', 'k'), [dot(b, 1)], []),
    digestOf(keyHash('b', 'k'), [dot(a, 1), dot(b, 1)], []),
    digestOf(keyHash('b', 'k'), [dot(b, 1), dot(a, 1)], []),
    digestOf(keyHash('b', 'k'), [dot(a, 1)], [dead(a, 1)]),
    digestOf(keyHash('b', 'k'), [dot(a, 1)], [dead(b, 1)]),
    digestOf(keyHash('b', 'k'), [dot(a, 1)], [dead(b, 2)]),
    digestOf(keyHash('b', 'k'), [dot(a, 1)], [dead(a, 1, false)]),
    digestOf(keyHash('b', 'k'), [dot(a, 2 ** 32 + 1)], []),
    digestOf(keyHash('b', 'k'), [dot(a, 2 ** 33 + 1)], []),
  ]
  for (const half of ['hi', 'lo'] as const) expect(new Set(told.map((digest) => digest[half])).size).toBe(told.length)
  expect(digestOf(keyHash('b', 'k'), [dot(a, 1)], [])).toEqual(told[2])
})

test('digests of neighbouring names and counters spread over both halves', () => {
  const seen = { hi: new Set<number>(), lo: new Set<number>() }
  const bits = { hi: new Uint32Array(32), lo: new Uint32Array(32) }
  for (let i = 0; i < 20_000; i++) {
    const digest = digestOf({ hi: i % 10, lo: 7 }, [{ dot: { life: 'aaaaaaaaaaaaaaaa', counter: 1 + i } }], [])
    for (const half of ['hi', 'lo'] as const) {
      seen[half].add(digest[half])
      for (let bit = 0; bit < 32; bit++) bits[half][bit]! += (digest[half] >>> bit) & 1
    }
  }
  for (const half of ['hi', 'lo'] as const) {
    expect(seen[half].size).toBeGreaterThan(19_990)
    for (const count of bits[half]) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  }
})

describe('the walk', () => {
  test('finds exactly the leaves that differ', () => {
    fc.assert(
      fc.property(someData, someData, someShape, (a, b, shape) => {
        const [mine, theirs] = [treeOf(a, shape), treeOf(b, shape)]
        const differing = new Set<number>()
        for (const key of new Set([...a.keys(), ...b.keys()])) {
          if (a.get(key) !== b.get(key)) differing.add(leafOf(key, mine))
        }
        expect(diff(mine, theirs).leaves.toSorted((x, y) => x - y)).toEqual([...differing].sort((x, y) => x - y))
      }),
    )
  })

  test('asks nothing of an equal tree and one question a level otherwise', () => {
    const data = new Map(Array.from({ length: 500 }, (_, i) => [`key-${i}`, 'a1']))
    expect(diff(treeOf(data), treeOf(data))).toEqual({ leaves: [], questions: 0 })
    const other = new Map(data).set('key-3', 'a2')
    expect(diff(treeOf(data), treeOf(other)).questions).toBe(2)
  })

  test('refuses questions and answers that do not fit', () => {
    const tree = treeOf(new Map([['k', 'a1']]))
    for (const [level, nodes] of [
      [2, [0]],
      [-1, [0]],
      [0, [1]],
      [1, [16]],
      [1, [0.5]],
      [0, [0, 0]],
      [Number.NaN, [0]],
    ] as const) {
      expect(() => childDigests(tree, level, nodes)).toThrow(MalformedBytes)
    }
    const step = { type: 'ask', level: 0, nodes: [0] } as const
    expect(() => continueDiff(tree, step, [])).toThrow(MalformedBytes)
    expect(() =>
      continueDiff(
        tree,
        step,
        Array.from({ length: 17 }, () => ''),
      ),
    ).toThrow(MalformedBytes)
  })
})
