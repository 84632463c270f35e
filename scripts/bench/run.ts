// `npm run bench -- <name> …`: runs one of the benchmarks that lie beside this file, or lists them. Decides nothing else.

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const [name, ...args] = process.argv.slice(2)
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3))

if (name === undefined) process.stdout.write(names.map((one) => `${one}\n`).join(''))
else if (!names.includes(name)) {
  process.stderr.write(`there is no benchmark "${name}"; there are: ${names.join(', ')}\n`)
  process.exitCode = 2
} else {
  const file = join(import.meta.dirname, `${name}.ts`)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], { stdio: 'inherit' })
  // Ctrl-C reaches the child by itself; it stops what it started before it ends.
  process.on('SIGINT', () => {}).on('SIGTERM', () => child.kill('SIGTERM'))
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}
