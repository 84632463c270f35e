// Runs a script of the repository as a child of this command. Scripts are not part of the installed package.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CommandError, EXIT } from './exit-status.ts'

/** The repository, or the installed package: both have the command line two levels down. */
export const PROJECT_FOLDER: string = fileURLToPath(new URL('../../', import.meta.url))

/** Resolves when the script ended well; its own exit status otherwise becomes this command's. */
export async function runCloneScript(path: string, args: readonly string[]): Promise<void> {
  const file = `${PROJECT_FOLDER}${path}`
  if (!existsSync(file)) {
    throw new CommandError(
      EXIT.failed,
      `${path} is not here: it comes with a clone of the repository, not with the package`,
    )
  }
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], { stdio: 'inherit' })
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', forward).on('SIGTERM', forward)
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? EXIT.failed))
  }).finally(() => process.off('SIGINT', forward).off('SIGTERM', forward))
  if (status !== 0) throw new CommandError(status, '')
}
