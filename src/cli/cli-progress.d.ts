// The part of cli-progress that is used here; the package brings no types.

declare module 'cli-progress' {
  interface BarOptions {
    readonly format: string
    readonly stream: NodeJS.WritableStream
    readonly hideCursor?: boolean
    readonly clearOnComplete?: boolean
    readonly barsize?: number
  }
  class SingleBar {
    constructor(options: BarOptions)
    start(total: number, startValue: number, payload?: object): void
    update(value: number, payload?: object): void
    stop(): void
  }
  const progress: { readonly SingleBar: typeof SingleBar }
  export = progress
}
