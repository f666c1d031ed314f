// As leak.c, with what net.connect does: it connects later, from the event loop. With a fifth word at once, as addons do.
const net = require('net');
const [port, closed, leaked, pause, atOnce] = process.argv.slice(2).map(Number);
const held = [];

function openAndClose() {
  return new Promise((done) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.destroy());
    socket.on('close', done);
  });
}

function openAndLeak() { // LEAK
  if (!atOnce) {
    held.push(net.connect(port, '127.0.0.1'));
    return;
  }
  const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
  const socket = new TCP(constants.SOCKET);
  const request = new TCPConnectWrap();
  request.oncomplete = () => {};
  socket.connect(request, '127.0.0.1', port);
  held.push([socket, request]);
}

async function main() {
  for (let i = 0; i < closed; i++) await openAndClose();
  for (let i = 0; i < leaked; i++) {
    openAndLeak();
    await new Promise((done) => setTimeout(done, pause));
  }
  process.stdin.on('end', () => process.exit(0)).resume();
}

main();
