from clumpygan.commands.train import main

main()
