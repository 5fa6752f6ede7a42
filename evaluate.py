from clumpygan.commands.evaluate import main

main()
