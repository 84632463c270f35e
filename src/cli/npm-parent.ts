// Follows npm into the grave: npm runs its scripts through a shell, which does not pass signals on, so that a command whose npm
// was told to stop would live on. Knows nothing of what stops then. Concerns nobody who does not run through npm.

/** The project's own scripts that end in this command line; scripts of others may want to leave a node behind. */
const SCRIPTS = ['quorate', 'start']
const POLL_MS = 250

/** Calls back once the process that started this one is gone; returns how to stop watching. */
export function onNpmGone(env: Readonly<Record<string, string | undefined>>, callback: () => void): () => void {
  if (!SCRIPTS.includes(env['npm_lifecycle_event'] ?? '')) return () => {}
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    callback()
  }, POLL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
