// A model of our own: says no to the numbers in `wrong`, yes to all others, and breaks on two.
export default class Numbers {
  constructor(options) {
    this.label = options.label;
    this.wrong = options.config?.wrong ?? [];
  }
  id() {
    return 'numbers';
  }
  async callApi(prompt, context) {
    const number = context.vars.number;
    if (number === 7) return { error: 'the service is down' };
    if (number === 8) throw new Error('connection refused');
    if (number === 9) return { output: null };
    return {
      output: this.wrong.includes(number) ? 'no' : 'yes',
      cost: 0.001,
      tokenUsage: { total: 12, prompt: 10, completion: 2 },
    };
  }
}
