// One use of openai-node: `node client.mjs URL KEY MODEL USE QUESTION`. Prints what the client gave to its user, as JSON.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const [url, apiKey, model, use, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url, apiKey, maxRetries: 0 });

const SYSTEM = 'You are a patient cook. Answer in one or two sentences.';
const RECIPE = 'Give me a recipe for an omelette: its name, and how many minutes it takes.';
const WEATHER = 'What is the weather in Lyon today?';
const weatherTool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather in a city now.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', description: 'Name of the city.' } },
      required: ['city'],
    },
  },
};
const recipeFormat = zodResponseFormat(z.object({ name: z.string(), minutes: z.number().int() }), 'Recipe');

const user = (content) => [{ role: 'user', content }];
const thoughts = (message) => message.reasoning_content ?? message.reasoning ?? '';

function heard(reply) {
  const first = reply.choices[0].message;
  return {
    texts: reply.choices.map((choice) => choice.message.content ?? ''),
    reasoning: thoughts(first),
    value: first.parsed ?? null,
    calls: (first.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
    finish: reply.choices[0].finish_reason,
    tokens: reply.usage?.total_tokens ?? null,
  };
}

const ask = async (body) => heard(await client.chat.completions.create({ model, ...body }));

async function stream(options) {
  const texts = [];
  const told = { reasoning: '', finish: null, tokens: null };
  for await (const chunk of await client.chat.completions.create({ model, messages: user(question), stream: true, ...options })) {
    told.tokens = chunk.usage?.total_tokens ?? told.tokens;
    for (const choice of chunk.choices) {
      texts[choice.index] = (texts[choice.index] ?? '') + (choice.delta.content ?? '');
      if (choice.index === 0) told.reasoning += thoughts(choice.delta);
      told.finish = choice.finish_reason ?? told.finish;
    }
  }
  return { ...told, texts, value: null, calls: [] };
}

const streamHelper = async (body) => heard(await client.chat.completions.stream({ model, ...body }).finalChatCompletion());

async function tools() {
  const messages = user(WEATHER);
  const asked = await client.chat.completions.create({ model, messages, tools: [weatherTool] });
  const message = asked.choices[0].message;
  messages.push(message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: '18 degrees, light rain' });
  return { ...(await ask({ messages, tools: [weatherTool] })), calls: heard(asked).calls };
}

async function runTools() {
  const calls = [];
  const weather = ({ city }) => {
    calls.push(['weather', { city }]);
    return '18 degrees, light rain';
  };
  const tool = { ...weatherTool, function: { ...weatherTool.function, function: weather, parse: JSON.parse } };
  const runner = client.chat.completions.runTools({ model, messages: user(WEATHER), tools: [tool] });
  const last = await runner.finalChatCompletion();
  return { ...heard(last), calls };
}

// The error classes: what was thrown, by name, with the fields a program looks at.
async function thrownBy(act) {
  try {
    await act();
    return { thrown: null };
  } catch (error) {
    return { thrown: error.constructor.name, status: error.status ?? null, code: error.code ?? null, type: error.type ?? null };
  }
}

const thrown = (body, options) =>
  thrownBy(async () => {
    const reply = await client.chat.completions.create({ model, messages: user(question), ...body }, options);
    if (body.stream) for await (const _ of reply);
  });

const USES = {
  plain: () => ask({ messages: user(question) }),
  stream: () => stream({}),
  stream_usage: () => stream({ stream_options: { include_usage: true } }),
  stream_helper: () => streamHelper({ messages: user(question) }),
  parse: async () => heard(await client.chat.completions.parse({ model, messages: user(RECIPE), response_format: recipeFormat })),
  stream_parse: () => streamHelper({ messages: user(RECIPE), response_format: recipeFormat }),
  parts: () => ask({ messages: user(['How do I sharpen ', 'a kitchen knife?'].map((text) => ({ type: 'text', text }))) }),
  history: () =>
    ask({
      messages: [
        { role: 'system', content: SYSTEM },
        ...user(question),
        { role: 'assistant', content: 'A whetstone with a grain of 1000 does for most knives.' },
        ...user('And how do I use it?'),
      ],
    }),
  developer: () => ask({ messages: [{ role: 'developer', content: SYSTEM }, ...user(question)] }),
  tools,
  run_tools: runTools,
  two_choices: () => ask({ messages: user(question), n: 2 }),
  sampling: () =>
    ask({
      messages: user(question),
      temperature: 0.6,
      top_p: 0.95,
      seed: 7,
      stop: ['\n\nNote:'],
      max_completion_tokens: 400,
      user: 'reader-17',
      metadata: { team: 'kitchen' },
      reasoning_effort: 'low',
    }),
  error: () => thrown({}),
  stream_error: () => thrown({ stream: true }),
  parse_error: () => thrownBy(() => client.chat.completions.parse({ model, messages: user(question), response_format: recipeFormat })),
  timeout: () => thrown({}, { timeout: 300 }),
  leave: async () => {
    const reply = await client.chat.completions.create({ model, messages: user(question), stream: true });
    let pieces = 0;
    for await (const _ of reply) if (++pieces === 3) break;
    return { pieces };
  },
  unknown_model: () => thrownBy(() => client.models.retrieve('no-such-model')),
};

console.log(JSON.stringify(await USES[use]()));
