#!/usr/bin/env node
// The command line's entry: decides only whether this runtime is recent enough, and right for a server, before anything else is loaded.
// Invariant: no static import, and no syntax that an older Node would refuse to parse.

const MAJOR_MIN = 24

const major = Number.parseInt(process.versions.node, 10)
if (major < MAJOR_MIN) {
  process.stderr.write(
    `quorate needs Node ${MAJOR_MIN} or newer; this is Node ${process.versions.node} (${process.execPath}).\n` +
      `From a clone, run "npm ci" once, then "npm run -s quorate -- <command>": it brings the right Node along.\n` +
      `Otherwise install Node ${MAJOR_MIN} (https://nodejs.org) and try again.\n`,
  )
  process.exitCode = 1
} else {
  const args = process.argv.slice(2)
  const { commandOf } = await import('./cli/catalogue.ts')
  if (commandOf(args) === 'start') (await import('./cli/runtime.ts')).becomeServer(process.argv[1] ?? '', args)
  const { run } = await import('./cli/program.ts')
  process.exitCode = await run(args)
}

export {}
