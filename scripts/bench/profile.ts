// Summarises V8 CPU profiles (`npm run bench -- quorum --profile DIR`): self time by function and by file, over all given files.
// Reads .cpuprofile files only; decides nothing.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readArguments } from '../command-line.ts'

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: CallFrame
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const { values: flags, positionals } = readArguments(
  {
    allowPositionals: true,
    options: {
      top: { type: 'string', default: '60' },
      /** Inclusive time instead of self time. */
      total: { type: 'boolean', default: false },
      /** Only the share of a function's callers: part of a name. */
      callers: { type: 'string' },
    },
  },
  'npm run bench -- profile FILE|DIRECTORY… [--top N] [--total] [--callers NAME]',
)

const files = positionals.flatMap((path) =>
  statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((file) => file.endsWith('.cpuprofile'))
        .map((file) => join(path, file))
    : [path],
)

const byFunction = new Map<string, number>()
const byFile = new Map<string, number>()
let busy = 0
for (const file of files) {
  // Written by V8 itself.
  const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile
  addProfile(profile)
}
print('by function', byFunction)
if (flags.callers === undefined) print('by file', byFile)

function addProfile({ nodes, samples, timeDeltas }: Profile): void {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map<number, number>()
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node.id)
  const self = new Map<number, number>()
  for (const [index, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + (timeDeltas[index] ?? 0))
  for (const [id, time] of self) {
    const node = byId.get(id)
    if (node === undefined || node.callFrame.functionName === '(idle)') continue
    busy += time
    const name = nameOf(node.callFrame)
    add(byFile, fileOf(node.callFrame), time)
    if (flags.callers !== undefined) {
      if (!name.includes(flags.callers)) continue
      const parent = byId.get(parents.get(id) ?? -1)
      add(byFunction, `${name} ← ${parent ? nameOf(parent.callFrame) : '?'}`, time)
    } else if (flags.total) {
      const seen = new Set<string>()
      for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
        const frame = byId.get(at)?.callFrame
        if (frame === undefined || seen.has(nameOf(frame))) continue
        seen.add(nameOf(frame))
        add(byFunction, nameOf(frame), time)
      }
    } else add(byFunction, name, time)
  }
}

function fileOf({ url, functionName }: CallFrame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)'
  return url.replace(/^.*\/(node_modules|src)\//, '$1/')
}

function nameOf(frame: CallFrame): string {
  return `${frame.functionName || '(anonymous)'} ${fileOf(frame)}:${frame.lineNumber + 1}`
}

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time)
}

function print(title: string, times: ReadonlyMap<string, number>): void {
  const sorted = [...times].toSorted(([, a], [, b]) => b - a).slice(0, Number(flags.top))
  const lines = sorted.map(
    ([name, time]) =>
      `${((time * 100) / busy).toFixed(1).padStart(5)} % ${(time / 1000).toFixed(0).padStart(7)} ms  ${name}`,
  )
  process.stdout.write(`${title}, of ${(busy / 1000).toFixed(0)} ms busy\n${lines.join('\n')}\n\n`)
}
