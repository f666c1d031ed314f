// As leak.c.
const net = require('net');
const [port, closed, leaked, pause] = process.argv.slice(2).map(Number);
const held = [];

function openAndClose() {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.destroy());
    socket.on('close', done);
  });
}

function openAndLeak() {
  return new Promise((done) => {
    held.push(net.connect(port, '127.0.0.1', done)); // LEAK
  });
}

async function main() {
  for (let i = 0; i < closed; i++) await openAndClose();
  for (let i = 0; i < leaked; i++) {
    await openAndLeak();
    await new Promise((done) => setTimeout(done, pause));
  }
  process.stdin.on('end', () => process.exit(0)).resume();
}

main();
