from clumpygan.commands.recover import main

main()
