// `node scripts/walk/run.ts [file] [--write]`: plays the walk of README.md, or writes what this run printed into it.

import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { readArguments } from '../command-line.ts'
import { ELLIPSIS, rewritten } from './transcript.ts'
import { play } from './walk.ts'

const { values, positionals } = readArguments(
  { options: { write: { type: 'boolean' } }, allowPositionals: true },
  'scripts/walk/run.ts [file] [--write]',
)
const file = resolve(positionals[0] ?? resolve(import.meta.dirname, '../../README.md'))
const markdown = readFileSync(file, 'utf8')
const played = await play(markdown, values.write ?? false)
if (values.write) {
  const steps = played.map(({ step, command, printed }) => ({
    command,
    // What somebody left out on purpose stays left out.
    expected: step.expected[0] === ELLIPSIS ? [ELLIPSIS, ...printed] : printed,
  }))
  writeFileSync(file, rewritten(markdown, steps))
} else {
  for (const { step, difference } of played) {
    console.log(`${difference === null ? 'as it says' : 'DIFFERS   '}  ${step.line}: ${step.command}`)
    if (difference !== null) console.log(difference)
  }
  process.exitCode = played.every(({ difference }) => difference === null) ? 0 : 1
}
